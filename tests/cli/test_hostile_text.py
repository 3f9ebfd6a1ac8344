"""Names and settings from files are printed escaped, wherever they come from; long ones and long lists are cut."""

import io
import json
import logging

import click
import h5py
import numpy as np
import pytest

import rnnstates
from rnnstates import printable
from rnnstates_cli import main, reporting
from rnnstates_cli.info import MOST_SHOWN, lines

from ..builders import one_layer

HOSTILE = "\x1b[31m\x07\r\n\x9b1m\u202e\u2066\u200b\u2028\ufeff\x7f\udc80é日"


def is_safe(text):
    return all(letter.isprintable() for letter in text.replace("\n", ""))


def run(monkeypatch, capsys, *words):
    monkeypatch.setattr("sys.argv", ["rnnstates", *map(str, words)])
    code = main._run()
    out, err = capsys.readouterr()
    assert is_safe(out), out
    assert is_safe(err), err
    return code, out, err


def test_letters_of_any_script_stay_and_everything_a_terminal_obeys_is_escaped():
    shown = printable(HOSTILE)
    assert is_safe(shown + "\n")
    assert shown.startswith(r"\x1b[31m\x07\r\n\x9b1m\u202e\u2066\u200b\u2028\ufeff\x7f\udc80")
    assert shown.endswith("é日")
    assert printable("x" * 5000).endswith("… (1000 more characters)")


def test_messages_are_escaped_but_the_lines_of_several_problems_stay():
    error = rnnstates.BadInput(f"a: '{HOSTILE}'")
    assert is_safe(f"{error}\n")
    assert "\n" not in str(error)
    assert error.args == (f"a: '{HOSTILE}'",)
    with pytest.raises(rnnstates.BadInput, match="2 problems:\n- a") as caught:
        from rnnstates.extraction.problems import Problems

        problems = Problems()
        for text in ("a\x1b", "b\n"):
            with problems.gathered():
                raise rnnstates.BadInput(text)
        problems.raise_all()
    assert str(caught.value) == "2 problems:\n- a\\x1b\n- b\\n"


def hdf5(path, name):
    with h5py.File(path, "w") as file:
        file[name] = np.zeros((2, 3))
    return path


def safetensors(path, name):
    text = json.dumps({name: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(4))
    return path


def npz(path, name):
    np.savez(path, **{name: np.zeros(3)})
    return path


@pytest.mark.parametrize("make", [hdf5, safetensors, npz])
@pytest.mark.parametrize("command", ["info", "convert", "verify", "status", "extract"])
def test_no_command_prints_names_of_a_file_raw(tmp_path, monkeypatch, capsys, make, command):
    suffix = {"hdf5": "h5"}.get(make.__name__, make.__name__)
    path = make(tmp_path / f"in\x1b[2J.{suffix}", HOSTILE.replace("\udc80", ""))
    extra = [tmp_path / "out.weights.h5"] if command == "convert" else [tmp_path / "o.h5"] * (command == "extract")
    _, out, err = run(monkeypatch, capsys, command, path, *extra)
    assert r"\x1b" in out + err


def test_info_escapes_names_and_attributes_and_json_stays_json(tmp_path, monkeypatch, capsys):
    path = hdf5(tmp_path / "in.h5", HOSTILE.replace("\udc80", ""))
    code, out, _ = run(monkeypatch, capsys, "info", path)
    assert code == 0
    assert len(out.splitlines()) == 6
    code, out, _ = run(monkeypatch, capsys, "info", path, "--json")
    assert json.loads(out)["datasets"][0]["name"] == HOSTILE.replace("\udc80", "")
    assert out.isascii()


def test_provenance_and_holder_are_escaped(tmp_path, monkeypatch, capsys):
    out = tmp_path / "out.h5"
    rnnstates.extract(
        np.ones((1, 2, 3)), "full", weights=one_layer(), output=out, provenance={"command": "a\x1b]0;x\x07\nb"}
    )
    code, printed, _ = run(monkeypatch, capsys, "info", out)
    assert code == 0
    assert r"command: a\x1b]0;x\x07\nb" in printed


def test_usage_errors_quote_what_was_typed_escaped(monkeypatch, capsys):
    code, _, err = run(monkeypatch, capsys, "info", "--\x1b[31m\x07")
    assert code == 2
    # Some versions of click drop what looks like a colour, and none of them the bell.
    assert "\x1b" not in err
    assert r"\x07" in err


def test_notes_of_the_library_are_escaped(capsys):
    with click.Context(click.Command("c")), reporting.logged():
        logging.getLogger("rnnstates").warning("a\x1b[31m\nnote: forged")
    reporting.say("b\u202e")
    assert capsys.readouterr().err == "warning: a\\x1b[31m\\nnote: forged\nb\\u202e\n"


def test_json_has_no_nan_no_lone_surrogates_and_no_delete():
    text = reporting.json_text({"a\udc80": [float("nan"), float("-inf"), 1.5], "b": "\x7f\x1b"})
    assert json.loads(text, parse_constant=pytest.fail) == {"a\\udc80": [None, None, 1.5], "b": "\x7f\x1b"}
    assert text.isprintable()


def test_a_terminal_of_ascii_gets_escapes_instead_of_an_error(monkeypatch):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", errors="strict")
    monkeypatch.setattr("sys.stdout", stream)
    monkeypatch.setattr("sys.argv", ["rnnstates", "status", "nowhere-é日.h5"])
    monkeypatch.setattr(main.signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        main.main()
    stream.flush()
    assert ended.value.code == 0
    assert raw.getvalue().startswith(rb"nowhere-\xe9\u65e5.h5: no such output")


@pytest.mark.parametrize(
    ("value", "last"),
    [
        ([{"layer": f"l{number}"} for number in range(MOST_SHOWN + 5)], "  … and 5 more"),
        ([f"name {number}" for number in range(MOST_SHOWN + 2000)], "  … and 2,000 more"),
    ],
)
def test_long_lists_show_the_first_and_a_count(value, last):
    shown = lines({"things": value})
    assert len(shown) == MOST_SHOWN + 2
    assert shown[-1] == last


def test_odd_values_of_a_provenance_are_laid_out():
    nested = {}
    for _ in range(200):
        nested = {"a": nested}
    assert lines({"a": [{}, 1], "b": [{"c": 1}, 2], "d": nested, "shape": 3})
