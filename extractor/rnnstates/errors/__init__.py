"""The exceptions, and checks of arguments that need no NumPy: their types, the words they accept, escaped text.

Each message says where, what was found, what was expected and what to do.

::

    RnnstatesError
    ├── OptionError          options that contradict each other or the data
    ├── MissingInput         a file that is absent, unreadable or a directory
    ├── BadData              a file that exists but is wrong
    │   ├── BadInput         the sequences or their ids
    │   │   └── InputChanged the file was changed while it was read
    │   ├── BadLengths       the lengths
    │   ├── BadWeights       the weights
    │   └── BadStates        a states file (what rnnstates wrote)
    ├── EngineUnavailable    TensorFlow, or an extra, cannot be started
    ├── MemoryBudgetError    the job does not fit the memory or the threads it may use
    ├── Stopped              the time limit was reached; the run can be resumed
    └── OutputError
        ├── OutputUnread     the output is complete, but could not be opened or closed afterwards
        ├── CannotCreate     the output exists, or its place is unsuitable
        ├── DoesNotMatch     the existing output was made by a different job
        ├── PermissionDenied no permission to write there
        ├── OutputBusy       another run is writing this output
        └── WriteFailed      the disk is full or failing

The library raises them; the command prints the message and exits with ``exit_code``.
"""

from typing import ClassVar

from .escaping import printable

__all__ = [
    "BadData",
    "BadInput",
    "BadLengths",
    "BadStates",
    "BadWeights",
    "CannotCreate",
    "DoesNotMatch",
    "EngineUnavailable",
    "InputChanged",
    "MemoryBudgetError",
    "MissingInput",
    "OptionError",
    "OutputBusy",
    "OutputError",
    "OutputUnread",
    "PermissionDenied",
    "RnnstatesError",
    "Stopped",
    "WriteFailed",
]


class RnnstatesError(Exception):
    """The base class of all errors that rnnstates raises deliberately.

    Messages quote names from files, so ``str(error)`` escapes terminal sequences; ``args`` hold the raw text.
    """

    # The command's exit code, from sysexits.h, so that batch systems can tell errors apart.
    exit_code: ClassVar[int]
    # True for a message of several lines, each already escaped.
    laid_out = False

    def __str__(self) -> str:
        """Return the message, safe to print."""
        message = super().__str__()
        return message if self.laid_out else printable(message)


class OptionError(RnnstatesError):
    """Options contradict each other, or do not fit the data."""

    exit_code = 2


class MissingInput(RnnstatesError):  # noqa: N818 - reads better at the raise than MissingInputError
    """A file to read is absent, unreadable or a directory."""

    exit_code = 66


class BadData(RnnstatesError):  # noqa: N818
    """A file to read exists, but is not what it should be."""

    exit_code = 65


class BadInput(BadData):
    """The input sequences (or their ids) cannot be used."""


class InputChanged(BadInput):
    """The input file was changed while it was being read."""


class BadLengths(BadData):
    """The lengths cannot be used."""


class BadWeights(BadData):
    """The weights file cannot be used."""


class BadStates(BadData):
    """The file is not a complete states file of a known version."""


class EngineUnavailable(RnnstatesError):  # noqa: N818
    """TensorFlow or an optional package cannot be started."""

    exit_code = 69


class MemoryBudgetError(RnnstatesError):
    """The job does not fit the memory or the threads it may use; the message says what would."""

    exit_code = 71


class Stopped(RnnstatesError):  # noqa: N818
    """The time limit was reached; finished work is kept, and the same call resumes from there."""

    exit_code = 75

    def __init__(self, text: str = "time limit reached; no output was given, so nothing was saved.") -> None:
        super().__init__(text)


class OutputError(RnnstatesError):
    """The output cannot be made."""


class OutputUnread(OutputError):  # noqa: N818
    """The output is complete and in place, but could not be opened, read or closed afterwards."""

    exit_code = 74


class CannotCreate(OutputError):  # noqa: N818
    """The output exists, or its directory is missing or unsuitable."""

    exit_code = 73


class DoesNotMatch(OutputError):  # noqa: N818
    """The existing output, finished or not, was made by a different job, or where results round differently."""

    exit_code = 78


class PermissionDenied(OutputError):  # noqa: N818
    """There is no permission to write the output there."""

    exit_code = 77


class OutputBusy(OutputError):  # noqa: N818
    """Another run is writing the same output."""

    exit_code = 75


class WriteFailed(OutputError):  # noqa: N818
    """The disk is full or failing."""

    exit_code = 74
