"""Bad input, what the options say: unknown words, numbers out of range, contradictions; all of them at once."""

from pathlib import Path

import pytest

from .catalogue import DATA, MISSING, USAGE, WITH_WEIGHTS, Mistake, check_refused, run

OPTIONS = {
    "an unknown convention": Mistake(
        None,
        [*WITH_WEIGHTS, "--convention", "kerras"],
        USAGE,
        ("--convention kerras: unknown; known are keras, torch",),
    ),
    "a forget bias that is no number": Mistake(
        None, [*WITH_WEIGHTS, "--forget-bias", "nan"], USAGE, ("--forget-bias nan",)
    ),
    "an activation that is not known": Mistake(
        None, [*WITH_WEIGHTS, "--activation", "tanhh"], USAGE, ("--activation tanhh: unknown; known are affine",)
    ),
    "a layer without weights": Mistake(
        None,
        ["in.h5", "--layer", "x"],
        USAGE,
        ("--layer x: applies only to a weights file; pass --weights",),
    ),
    "units for weights that have theirs": Mistake(
        None,
        [*WITH_WEIGHTS, "--units", "4"],
        USAGE,
        ("--units 4: applies only to random weights, but --weights gives trained ones",),
    ),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_a_wrong_option_is_reported_exits_as_tabled_and_leaves_everything_as_it_was(place, name, monkeypatch, capsys):
    check_refused(OPTIONS[name], monkeypatch, capsys)


def test_all_wrong_options_are_reported_at_once(place, monkeypatch, capsys):
    options = ["--states", "hiden", "--pool", "maen", "--memory", "much"]
    code = run(monkeypatch, "extract", "in.h5", "new.h5", *options)
    lines = capsys.readouterr().err.splitlines()
    assert code == USAGE
    assert lines[0] == "rnnstates: 3 problems:"
    assert [line.partition(":")[0] for line in lines[1:]] == [
        "- --memory much", "- --pool maen", "- --states hiden",
    ]  # fmt: skip
    assert "Did you mean 'mean'?" in lines[2]
    assert not Path("new.h5").exists()


def test_wrong_lengths_ids_and_states_are_reported_at_once(place, monkeypatch, capsys):
    Path("ids.txt").write_text("a\n")
    Path("lengths.txt").write_text("9\n9\n9\n9\n")
    code = run(monkeypatch, "extract", "in.npy", "new.h5", "--lengths", "lengths.txt", "--ids", "ids.txt")
    reported = capsys.readouterr().err
    assert code == DATA
    assert "rnnstates: 2 problems:\n- ids.txt: 1 ids, but in.npy has 4 sequences" in reported
    assert "\n- lengths.txt: row 0 has length 9" in reported


def test_missing_weights_and_a_missing_input_are_reported_at_once(place, monkeypatch, capsys):
    code = run(monkeypatch, "extract", "no.npy", "new.h5", "--weights", "no.keras")
    reported = capsys.readouterr().err
    assert code == MISSING
    assert "rnnstates: 2 problems:\n- no.keras: no such file" in reported
    assert "\n- no.npy: no such file" in reported
