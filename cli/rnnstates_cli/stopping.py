"""Handles the signals that end the command: the handler raises, so that finished work is recorded on the way out."""

import signal
import sys
from types import FrameType
from typing import Any, NoReturn

__all__ = ["STOPPING", "StopRequest", "arrived", "check_signals", "heed_signals"]

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_ARRIVED: list[int] = []


class StopRequest(BaseException):
    """SIGINT, SIGTERM or SIGHUP arrived."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def heed_signals() -> None:
    """Let signals end the command."""
    for number in STOPPING:
        # If hang-ups are ignored (nohup), they stay ignored.
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _stop)
    sys.unraisablehook = _unraisable


def arrived() -> int | None:
    """Return the signal that arrived, if any."""
    return _ARRIVED[0] if _ARRIVED else None


def check_signals() -> None:
    """Raise again what a signal handler raised, if that was lost.

    Python drops exceptions raised while an object is freed (``__del__``), and the handler may be called just then.
    """
    if _ARRIVED:
        raise StopRequest(_ARRIVED[0])


def _stop(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001
    # Finished work is being recorded; a second signal ends the process at once.
    for other in STOPPING:
        if signal.getsignal(other) is _stop:
            signal.signal(other, signal.SIG_DFL)
    _ARRIVED.append(number)
    raise StopRequest(number)


def _unraisable(dropped: Any) -> None:
    """Suppress the stack trace of a stop: ``check_signals`` raises it again."""
    if not isinstance(dropped.exc_value, StopRequest):
        sys.__unraisablehook__(dropped)
