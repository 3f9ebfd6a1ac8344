"""The operating system, made to fail at one operation or from there on."""

import contextlib
import errno
import os
import signal
import threading
from collections import Counter
from typing import NamedTuple

from rnnstates.output.system import DISK, OPERATIONS

__all__ = ["FAULTS", "Fault", "Faulty"]

MAKING = ("open", "pwrite", "truncate", "allocate", "clear", "fsync", "fdatasync", "link", "rename", "sync_directory")
SYNCS = ("fsync", "fdatasync")
NOT_MADE = (*SYNCS, "sync_directory")


class Fault(NamedTuple):
    """What happens, and to which operations."""

    number: int = 0
    operations: tuple[str, ...] = OPERATIONS


FAULTS = {
    "ENOSPC": Fault(errno.ENOSPC, MAKING),
    "EDQUOT": Fault(errno.EDQUOT, MAKING),
    "EFBIG": Fault(errno.EFBIG, ("pwrite", "truncate", "allocate")),
    "EIO": Fault(errno.EIO),
    "EINTR": Fault(errno.EINTR, ("pwrite",)),
    "short write": Fault(operations=("pwrite",)),
    # A signal whose handler raises: before the call is made, or when it has been made.
    "signal before": Fault(),
    "signal after": Fault(),
    # In the middle of a write, before anything else.
    "SIGKILL": Fault(),
}


class Faulty:
    """A ``System`` that counts its operations and fails at the one it is given.

    Syncs are counted, not made: a process that dies leaves its pages to the system. What a power loss leaves is
    ``power``'s affair.

    Parameters
    ----------
    fault : str or None
        A name in FAULTS.
    at : int
        Which of the fault's operations, from 1.
    for_ever : bool
        Whether all later ones fail too.

    Attributes
    ----------
    log : list of str
        The moment of each operation that the fault could have struck.
    names : list of str
        What each of them was.
    struck : list of str
        The moments at which it did.
    sins : list of str
        What must never be done after a failed sync.
    """

    def __init__(self, fault=None, at=0, *, for_ever=False):
        self.name, self.fault, self.at, self.for_ever = fault, FAULTS.get(fault, Fault()), at, for_ever
        self.log, self.names, self.struck, self.sins = [], [], [], []
        self.calls = Counter()
        self._roles, self._mutex = {}, threading.Lock()
        self._begun = self._named = False
        self._failed = set()

    def call(self, operation, *arguments):
        """Do an operation, or fail."""
        with self._mutex:
            self.calls[operation] += 1
            self._look_for_sins(operation, arguments)
            moment = self._moment(arguments)
            strikes = self._strikes(operation, moment)
            self._see(operation, arguments)
        if strikes:
            return self._strike(operation, arguments)
        return self._do(operation, arguments)

    def _do(self, operation, arguments):
        if operation in NOT_MADE:
            return None
        result = getattr(DISK, operation)(*arguments)
        if operation == "open":
            self._roles[result] = arguments[0].suffix.replace(".new", ".partial")
        return result

    def _strikes(self, operation, moment):
        if operation not in self.fault.operations:
            return False
        self.log.append(moment)
        self.names.append(operation)
        strikes = self.at and (len(self.log) >= self.at if self.for_ever else len(self.log) == self.at)
        if strikes:
            self.struck.append(moment)
        return strikes

    def _strike(self, operation, arguments):
        if self.name == "short write":
            fd, data, position = arguments
            return DISK.pwrite(fd, data[: max(1, len(data) // 3)], position)
        if self.name == "SIGKILL":
            if operation == "pwrite":
                DISK.pwrite(arguments[0], arguments[1][: len(arguments[1]) // 2], arguments[2])
            os.kill(os.getpid(), signal.SIGKILL)
        if self.name == "signal after" or operation == "close":
            # Whatever close says, the descriptor is gone.
            # Nor does a signal ask whether the call could be made.
            with contextlib.suppress(FileNotFoundError):
                self._done = self._do(operation, arguments)
        if self.name in ("signal before", "signal after"):
            return self._signal(operation, arguments)
        if operation in SYNCS:
            self._failed.add(arguments[0])
        raise OSError(self.fault.number, os.strerror(self.fault.number))

    def _signal(self, operation, arguments):
        if threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt
        # It is the main thread that gets it, wherever it waits for this one.
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        return self._do(operation, arguments) if self.name == "signal before" else self._done

    def _moment(self, arguments):
        thread = threading.current_thread()
        role = self._roles.get(arguments[0])
        if thread.name == "rnnstates-recorder":
            self._begun = True
            return "M5" if role == ".journal" else "M4"
        if thread is not threading.main_thread():
            self._begun = True
            return "M3"
        if self._named:
            return "M7"
        return "M6" if self._begun else "M1"

    def _see(self, operation, arguments):
        if operation in ("link", "rename") and arguments[0].suffix == ".partial":
            self._named = True
        if operation == "close":
            # The number is given to another file next.
            self._failed.discard(arguments[0])

    def _look_for_sins(self, operation, arguments):
        if operation in SYNCS and arguments[0] in self._failed:
            self.sins.append(f"{operation} again after it had failed")
        recording = operation == "pwrite" and self._roles.get(arguments[0]) == ".journal"
        if recording and self._failed - {arguments[0]}:
            self.sins.append("recorded after a failed sync of the data")


def _calling(operation):
    def method(self, *arguments):
        return self.call(operation, *arguments)

    return method


for _operation in OPERATIONS:
    setattr(Faulty, _operation, _calling(_operation))
