"""Words that need no NumPy are those of the tables that do."""

from rnnstates.engines.choice import ENGINES
from rnnstates.errors.choices import ENGINE_NAMES
from rnnstates.network.cells import CELLS
from rnnstates.network.names import CARRIED, GATES, POOLING_NAMES
from rnnstates.network.pooling import POOLINGS


def test_the_names_of_poolings_are_those_of_the_table():
    assert tuple(POOLINGS) == POOLING_NAMES


def test_the_names_of_engines_are_those_of_the_table():
    assert tuple(ENGINES) == ENGINE_NAMES


def test_each_cell_has_the_states_and_gates_of_its_name():
    assert {name: cell.state._fields for name, cell in CELLS.items()} == CARRIED
    for name, cell in CELLS.items():
        # The candidate of a simple RNN is its hidden state.
        assert set(cell.gates._fields) == (set(GATES[name]) if name != "simple_rnn" else set())
