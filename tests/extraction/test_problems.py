"""Problems of one job: reported together, sorted, at most five."""

import pytest

import rnnstates
from rnnstates.errors import BadInput, MissingInput
from rnnstates.extraction.problems import Problems


def reported(*errors):
    problems = Problems()
    for error in errors:
        with problems.gathered():
            raise error
    assert problems
    with pytest.raises(rnnstates.RnnstatesError) as reason:
        problems.raise_all()
    return reason


def test_nothing_is_reported_of_a_job_without_problems():
    problems = Problems()
    with problems.gathered():
        pass
    assert not problems
    problems.raise_all()


def test_one_problem_is_reported_as_it_is():
    error = BadInput("in.h5: wrong.")
    assert reported(error).value is error
    assert reported(error, BadInput("in.h5: wrong.")).value is error


def test_several_problems_are_sorted_and_of_the_kind_of_the_first():
    reason = reported(MissingInput("no.h5: absent."), BadInput("in.h5: wrong."))
    assert reason.type is MissingInput
    assert str(reason.value) == "2 problems:\n- in.h5: wrong.\n- no.h5: absent."


def test_at_most_five_problems_are_written_out():
    reason = reported(*(BadInput(f"{number}") for number in range(8)))
    assert str(reason.value) == "8 problems:\n- 0\n- 1\n- 2\n- 3\n- 4\n- and 3 more"


def test_an_error_that_is_no_problem_of_the_user_is_not_kept():
    problems = Problems()
    with pytest.raises(ZeroDivisionError), problems.gathered():
        raise ZeroDivisionError


def test_all_wrong_options_are_reported_at_once():
    with pytest.raises(rnnstates.OptionError, match=r"^4 problems:") as reason:
        rnnstates.extract("no.npy", states="hiden", layout="paded", threads=0, memory="much")
    assert [line.partition(":")[0] for line in str(reason.value).splitlines()[1:]] == [
        "- layout='paded'", "- memory='much'", "- states='hiden'", "- threads=0",
    ]  # fmt: skip
