"""Fixtures of these tests."""

from types import SimpleNamespace

import pytest

# The graphs of models that tests share, with what was learnt while they were traced.
TRACED = {}


@pytest.fixture
def traced_once(monkeypatch):
    """Trace a model once for all calls of collect(), as long as its architecture is the same.

    Tracing takes most of the time of a small model. Tests of what follows from it let it happen once.
    """
    from rnnstates.collecting.architecture import architecture_of
    from rnnstates.collecting.running import Runner

    trace = Runner._traced

    def traced(runner):
        if runner._model.run_eagerly:
            return trace(runner)
        paths = tuple(found.path for found in runner._layers)
        key = id(runner._model), architecture_of(runner._model), paths, str(runner._specs)
        if key not in TRACED:
            # Keeping the model keeps its id from being given to another.
            TRACED[key] = SimpleNamespace(model=runner._model, graph=trace(runner), runner=runner)
        kept = TRACED[key]
        runner.heard = kept.runner.heard
        vars(runner.lookups).update(vars(kept.runner.lookups))
        return kept.graph

    monkeypatch.setattr(Runner, "_traced", traced)
