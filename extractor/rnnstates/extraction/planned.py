"""Logs what a run is about to do, at level DEBUG."""

import logging
from collections.abc import Mapping

from .job import Job

__all__ = ["log_plan"]

logger = logging.getLogger("rnnstates")


def log_plan(job: Job, executors: Mapping[str, str]) -> None:
    """Log how much is computed, in which pieces, and by what."""
    shape, grid = job.shape, job.grid
    logger.debug(
        "planned %d sequences, %d valid steps of %d, in windows of %d and tiles of up to %d sequences; %d bytes",
        *(shape.sequences, shape.valid_steps, shape.sequences * shape.steps, grid.window_rows, grid.tile_rows),
        job.bytes_to_write,
    )
    by = ", ".join(dict.fromkeys(executors.values()))
    logger.debug(
        "computing with engine %s (layers run by %s) in %s: %d threads, about %d MB of memory for data",
        *(job.engine, by, job.request.precision, job.threads, job.memory // 10**6),
    )
