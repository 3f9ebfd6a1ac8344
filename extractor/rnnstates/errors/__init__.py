"""Every error a user can cause. Each says where, what was found, what was expected, what to do.

::

    RnnstatesError
    ├── OptionError          options that contradict each other or the data
    ├── MissingInput         a file that is absent, unreadable or a directory
    ├── BadData              a file that is there but wrong
    │   ├── BadInput         the sequences or their ids
    │   │   └── InputChanged the file was changed while it was read
    │   ├── BadLengths       the lengths
    │   ├── BadWeights       the weights
    │   └── BadStates        a states file (what rnnstates wrote)
    ├── EngineUnavailable    TensorFlow, or an extra, cannot be started
    ├── MemoryBudgetError    the job does not fit the memory or the threads it may use
    ├── Stopped              the time that was given is over; the run can go on
    └── OutputError
        ├── OutputUnread     the output is complete, but could not be opened or closed afterwards
        ├── CannotCreate     the output exists, or its place is unsuitable
        ├── DoesNotMatch     the output that is there is that of another job
        ├── PermissionDenied the place may not be written
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
    """The root of all errors that rnnstates raises on purpose.

    Messages quote names from files, so ``str(error)`` escapes what a terminal would obey; ``args`` hold them
    as they are.
    """

    # What the command exits with: those of sysexits.h, so that batch systems can tell them apart.
    exit_code: ClassVar[int]
    # Set where a message has lines of its own, each of them escaped already.
    laid_out = False

    def __str__(self) -> str:
        """Return the message, safe to print."""
        message = super().__str__()
        return message if self.laid_out else printable(message)


class OptionError(RnnstatesError):
    """Options contradict each other, or do not go with the data."""

    exit_code = 2


class MissingInput(RnnstatesError):  # noqa: N818 - reads better at the raise than MissingInputError
    """A file to read is absent, unreadable or a directory."""

    exit_code = 66


class BadData(RnnstatesError):  # noqa: N818
    """A file to read is there, but is not what it should be."""

    exit_code = 65


class BadInput(BadData):
    """The input sequences (or their ids) cannot be used."""


class InputChanged(BadInput):
    """The input's file was changed while it was read."""


class BadLengths(BadData):
    """The lengths cannot be used."""


class BadWeights(BadData):
    """The weights file cannot be used."""


class BadStates(BadData):
    """The file is not a complete states file of a version known here."""


class EngineUnavailable(RnnstatesError):  # noqa: N818
    """TensorFlow or an optional package cannot be started."""

    exit_code = 69


class MemoryBudgetError(RnnstatesError):
    """The job does not fit the memory or the threads it may use; the message says what would."""

    exit_code = 71


class Stopped(RnnstatesError):  # noqa: N818
    """The time limit is reached; what is finished is kept, and the same call resumes from there."""

    exit_code = 75

    def __init__(self, text: str = "time limit reached; without an output nothing is kept.") -> None:
        super().__init__(text)


class OutputError(RnnstatesError):
    """The output cannot be made."""


class OutputUnread(OutputError):  # noqa: N818
    """The output is complete and has its name; it could only not be opened, read or closed afterwards."""

    exit_code = 74


class CannotCreate(OutputError):  # noqa: N818
    """The output exists, or its directory is missing or unsuitable."""

    exit_code = 73


class DoesNotMatch(OutputError):  # noqa: N818
    """The output that is there, finished or not, was made by another job, or where results round differently."""

    exit_code = 78


class PermissionDenied(OutputError):  # noqa: N818
    """The output's place may not be written."""

    exit_code = 77


class OutputBusy(OutputError):  # noqa: N818
    """Another run is writing the same output."""

    exit_code = 75


class WriteFailed(OutputError):  # noqa: N818
    """The disk is full or failing."""

    exit_code = 74
