"""Calls on files of one folder that fail: by name, by descriptor, and reading what was opened."""

import builtins
import contextlib
import io
import os

import pytest

__all__ = ["Faults"]

# Calls that take a path, and those that take a descriptor. What HDF5 and TensorFlow call is C and out of reach here;
# ``traced`` lets those fail.
OF_PATHS = (
    *("access", "chmod", "link", "listdir", "lstat", "mkdir", "open", "pathconf", "readlink", "remove", "rename"),
    *("replace", "rmdir", "scandir", "stat", "statvfs", "truncate", "unlink", "utime"),
)
OF_DESCRIPTORS = ("fstat", "fsync", "pread", "pwrite", "read", "write")
OF_FILES = ("read", "readinto", "readline", "seek", "write")


class Faults:
    """Fails one call on a file below a folder, once or from then on.

    Parameters
    ----------
    folder : Path
    at : int
        Which call, from 1; 0 for none.
    number : int
        The error.
    for_ever : bool
        Whether all later ones fail too.

    Attributes
    ----------
    calls : int
        How many there were.
    """

    def __init__(self, folder, at=0, number=0, *, for_ever=False):
        self.folder, self.at, self.number, self.for_ever = str(folder), at, number, for_ever
        self.calls = 0
        self._descriptors = set()

    @contextlib.contextmanager
    def injected(self):
        """Let the calls of this process fail."""
        close = os.close
        with pytest.MonkeyPatch.context() as patch:
            for name in OF_PATHS:
                patch.setattr(os, name, self.of_paths(getattr(os, name)))
            for name in OF_DESCRIPTORS:
                patch.setattr(os, name, self._of_descriptors(getattr(os, name)))
            for module in (io, builtins):
                patch.setattr(module, "open", self._opening(open))
            patch.setattr(os, "close", lambda number: close(self._forgotten(number)))
            yield

    def of_paths(self, function):
        """Wrap a function of a path."""

        def called(*args, **kwargs):
            if args and self._is_inside(args[0]):
                self._count(args[0])
            found = function(*args, **kwargs)
            if function is _OPEN and args and self._is_inside(args[0]):
                self._descriptors.add(found)
            return found

        return called

    def _of_descriptors(self, function):
        def called(descriptor, *args, **kwargs):
            if descriptor in self._descriptors:
                self._count(None)
            return function(descriptor, *args, **kwargs)

        return called

    def _opening(self, function):
        def called(file, *args, **kwargs):
            inside = self._is_inside(file) or (isinstance(file, int) and file in self._descriptors)
            if inside and not isinstance(file, int):
                self._count(file)
            opened = function(file, *args, **kwargs)
            if inside:
                for name in OF_FILES:
                    if hasattr(opened, name):
                        setattr(opened, name, self._of_file(getattr(opened, name)))
                self._forgotten(file)
            return opened

        return called

    def _of_file(self, method):
        def called(*args, **kwargs):
            self._count(None)
            return method(*args, **kwargs)

        return called

    def _forgotten(self, number):
        """Take a descriptor off the list before its number is given to another file."""
        self._descriptors.discard(number)
        return number

    def _is_inside(self, path):
        return isinstance(path, str | bytes | os.PathLike) and os.fsdecode(path).startswith(self.folder)

    def _count(self, path):
        self.calls += 1
        if self.at and (self.calls == self.at or (self.for_ever and self.calls > self.at)):
            # Of a descriptor the system names no file.
            raise OSError(self.number, os.strerror(self.number), *([] if path is None else [os.fspath(path)]))


_OPEN = os.open
