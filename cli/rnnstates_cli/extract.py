"""``rnnstates extract``: writes every state of every step, the main command."""

import logging
import os
import shlex
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any, NamedTuple

import click

from .ending import to_resume
from .extract_options import extract_options
from .grouped import GroupedCommand, argument
from .reporting import Reporter, json_text, logged, say, size, worded

__all__ = ["extract"]


@click.command(
    cls=GroupedCommand,
    short_help="Write every state of every step to OUTPUT.",
    examples=(
        "rnnstates extract in.h5 out.h5",
        "rnnstates extract waves.npy means.h5 --lengths waves_lengths.npy --states none --pool mean",
    ),
)
@argument(
    "inputs",
    "INPUT...",
    "Sequences: .npy, .npz, HDF5, Zarr, Parquet or Arrow files, or - for a .npy on standard input. Several files, or a "
    "quoted pattern with *, are read as one.",
    nargs=-1,
    required=True,
)
@argument("output", "OUTPUT", "The HDF5 file to make.")
@extract_options
def extract(
    inputs: tuple[str, ...], output: str, *, dry_run: bool, no_timestamps: bool, progress: str, as_json: bool,
    quiet: bool, verbose: bool, append: bool, **options: Any,
) -> str | list[str]:  # fmt: skip
    """Run an LSTM over the padded sequences of INPUT and write every state of every step to OUTPUT."""
    if quiet and verbose:
        raise click.UsageError("--quiet and --verbose contradict each other; leave one of them out.")
    if append:
        raise click.UsageError(
            "--append: an output is one job, which is resumed and verified as a whole; expected a new OUTPUT. Give all "
            "inputs at once (rnnstates extract FIRST SECOND OUTPUT), or write a second output beside the first."
        )
    source = _source(inputs)
    with logged(quiet=quiet, verbose=verbose):
        if dry_run:
            return _preview(source, output, as_json=as_json, options=options)
        show = _Show(progress="none" if quiet else progress, as_json=as_json, quiet=quiet)
        return _extract(source, output, show, started=_started(no_timestamps), options=options)


class _Show(NamedTuple):
    """What a run prints: its progress (as for ``Reporter``), its summary as JSON, or only errors."""

    progress: str
    as_json: bool
    quiet: bool


def _source(inputs: tuple[str, ...]) -> Any:
    if "-" not in inputs:
        return inputs[0] if len(inputs) == 1 else list(inputs)
    if len(inputs) > 1:
        raise click.UsageError("-: standard input cannot be combined with other inputs; save it to a file.")
    if sys.stdin is None:
        raise click.UsageError("-: standard input is closed; pipe a .npy into it, or name a file.")
    if sys.stdin.isatty():
        raise click.UsageError("-: standard input is the terminal; pipe a .npy into it, or name a file.")
    return sys.stdin.buffer


def _started(no_timestamps: bool) -> str | None:
    """Return the time to record: none, that of SOURCE_DATE_EPOCH, or now."""
    if no_timestamps:
        return None
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    try:
        moment = datetime.now(timezone.utc) if epoch is None else datetime.fromtimestamp(_seconds(epoch), timezone.utc)
    except (ValueError, OverflowError, OSError) as reason:
        expected = "expected whole seconds since 1970, before the year 10000"
        raise click.UsageError(f"SOURCE_DATE_EPOCH is '{epoch}'; {expected}.") from reason
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _seconds(text: str) -> int:
    if not text.isdecimal():
        raise ValueError(text)
    return int(text)


def _run_with(source: Any, options: dict[str, Any]) -> tuple[Callable[..., Any], dict[str, Any]]:
    """Choose the library's function and its options."""
    import rnnstates

    if options["model"] is None:
        return rnnstates.extract, {name: value for name, value in options.items() if name != "model"}
    from .model import of_collect, refuse_pipe

    if isinstance(source, list):
        raise click.UsageError("--model: takes one INPUT; several are accepted with --weights.")
    refuse_pipe(source)
    return rnnstates.collect, of_collect(options)


def _extract(source: Any, output: str, show: _Show, *, started: str | None, options: dict[str, Any]) -> str:
    import rnnstates

    command = shlex.join(["rnnstates", *sys.argv[1:]])
    about = {"command": command, "started": started}
    clock = time.monotonic()
    run, options = _run_with(source, options)
    try:
        with Reporter(show.progress) as reporter:
            states = run(inputs=source, output=output, progress=reporter.update, provenance=about, **options)
    except rnnstates.OutputUnread as reason:
        return _unread(output, worded(str(reason), is_message=True), as_json=show.as_json)
    except BaseException as reason:
        _offer_to_resume(output, command, reason)
        raise
    try:
        with states:
            summary = _summary(output, states, time.monotonic() - clock)
    except (rnnstates.RnnstatesError, OSError, RuntimeError, KeyError, ValueError) as reason:
        text = f"{output}: is complete, but cannot be read or closed now ({reason}). Open it later; no run is needed."
        return _unread(output, text, as_json=show.as_json)
    logging.getLogger("rnnstates").debug("finished")
    if not show.quiet:
        say(_sentence(summary))
    return json_text(worded(summary)) if show.as_json else ""


def _unread(output: str, why: str, *, as_json: bool) -> str:
    """Warn that a complete output cannot be read now; it exists as requested, so the command succeeds."""
    say(f"warning: {why}")
    return json_text({"output": output, "complete": True, "warning": why}) if as_json else ""


def _offer_to_resume(output: str, command: str, reason: BaseException) -> None:
    """Say how to resume, if there is something to resume; ``main`` reports what ended the run."""
    import rnnstates

    if isinstance(reason, rnnstates.OutputBusy | rnnstates.DoesNotMatch):
        return
    with suppress(rnnstates.RnnstatesError, MemoryError):
        found = rnnstates.status(output)
        if found["state"] == "stopped" and found.get("windows"):
            say(
                f"note: {found['windows']} of {found['windows_in_all']} windows are finished and kept next to {output}"
                f"; 'rnnstates clean {shlex.quote(output)}' removes them. To resume:",
                f"  {command}",
            )
            to_resume(reason, command)


def _summary(output: str, states: Any, seconds: float) -> dict[str, Any]:
    made = states.provenance
    return {
        "output": output,
        "sequences": states.sequences,
        "steps": int(states.lengths.sum()),
        "layers": states.layers,
        "datasets": {
            name: {"shape": list(data.shape), "dtype": str(data.dtype)} for name, data in states.datasets.items()
        },
        "engine": made["engine"],
        "precision": made["precision"],
        "notes": made["notes"],
        "seconds": round(seconds, 3),
        **({"skipped": True} if states.skipped else {}),
    }


def _sentence(summary: dict[str, Any]) -> str:
    return (
        f"{summary['output']}: {summary['sequences']} sequences, {summary['steps']} steps, "
        f"{len(summary['datasets'])} datasets ({summary['engine']}, {summary['precision']}, {summary['seconds']:.2f} s)"
    )


def _kept(kept: dict[str, Any]) -> list[str]:
    """Say what is kept of steps and units, which the shapes do not tell."""
    units = kept.get("keep_units", [])
    each = [f"{layer}={some}" for layer, some in units.items()] if isinstance(units, dict) else [units] if units else []
    said = [f"keep_units={some!r}" for some in each]
    said += [f"{name}={kept[name]!r}" for name in ("every", "last_steps") if name in kept]
    return worded([f"kept: {', '.join(said)}"], is_message=True) if said else []


def _preview(source: Any, output: str, *, as_json: bool, options: dict[str, Any]) -> str | list[str]:
    import rnnstates

    if options["model"] is not None:
        raise click.UsageError("--dry-run: cannot be combined with --model, whose layers are known only once it runs.")
    options.pop("model")
    plan = rnnstates.preview(source, output=output, **options)
    if as_json:
        return json_text(worded(plan))
    return [
        f"{plan['sequences']} sequences, {plan['steps']} valid steps of {plan['sequences'] * plan['padded_steps']}",
        *(f"layer {part['group']}: '{part['layer']}', {part['units']} units" for part in plan["layers"]),
        *(
            f"dataset {data['name']}: {tuple(data['shape'])} {data['dtype']}, {size(data['bytes'])}"
            for data in plan["datasets"]
        ),
        *_kept(plan["kept"] or {}),
        f"to write: {size(plan['bytes_to_write'])} (padding uses no disk), free there: {size(plan['bytes_free'])}",
        f"engine {plan['engine']}, {plan['threads']} threads, about {size(plan['memory'])} of memory for data",
        "dry run: nothing was written",
    ]
