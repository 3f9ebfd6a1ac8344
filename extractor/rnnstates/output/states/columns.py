"""Names the columns of tables: ``hidden_0``, ``hidden_1``, …, each once."""

from ...network.names import DERIVED

__all__ = ["column_names"]


def column_names(name: str, numbers: list[int]) -> list[str]:
    """Name the columns of a state or pooled vector by the numbers of its units.

    Of ``state``, [cell, hidden], both parts have the same numbers if some units are left out.

    Examples
    --------
    >>> column_names("hidden", [0, 3]), column_names("state", [3, 3])
    (['hidden_0', 'hidden_3'], ['state_cell_3', 'state_hidden_3'])
    """
    if len(set(numbers)) == len(numbers):
        return [f"{name}_{number}" for number in numbers]
    parts = DERIVED["state"]
    return [f"{name}_{parts[numbers[:place].count(number)]}_{number}" for place, number in enumerate(numbers)]
