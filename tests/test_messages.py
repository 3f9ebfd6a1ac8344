"""The library speaks to callers in Python: no text in it names an option of the command."""

import ast
import re
from pathlib import Path

import pytest

from rnnstates.errors.articles import with_article
from rnnstates_cli.main import cli

LIBRARY = Path(__file__).parent.parent / "extractor" / "rnnstates"
OPTIONS = {
    option
    for command in cli.commands.values()
    for parameter in command.params
    for option in (*parameter.opts, *parameter.secondary_opts)
    if option.startswith("--")
}
# What stands for a value in an f-string; "--" before it makes an option of any name.
VALUE = "{}"


def texts(source):
    """Give every text of a module but its docstrings, an f-string as one, with its line."""
    tree = ast.parse(source)
    skipped = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            skipped |= {id(part) for part in node.values}
            yield node.lineno, "".join(getattr(part, "value", "") if isinstance(part, ast.Constant) else VALUE
                                       for part in node.values)  # fmt: skip
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            yield node.lineno, node.value


def options_named(source):
    return [
        (line, option)
        for line, text in texts(source)
        for option in re.findall(r"(?<![\w-])--(?:[\w-]+|\{\})", text)
        if option in OPTIONS or option == f"--{VALUE}"
    ]


@pytest.mark.parametrize("path", sorted(LIBRARY.rglob("*.py")), ids=lambda path: str(path.relative_to(LIBRARY)))
def test_no_text_of_the_library_names_an_option(path):
    assert options_named(path.read_text()) == []


@pytest.mark.parametrize(
    "line",
    [
        'raise E("give it with --weights FILE")',
        'raise E(f"{path}: choose one " f"with --layer {name}.")',
        'raise E(f"--{name}: unknown")',
        'NOTE = ("one", "(--quick)")',
        'def f(text="--force"): pass',
    ],
)
def test_the_search_for_options_finds_them(line):
    assert len(options_named(line)) == 1


@pytest.mark.parametrize(
    "line",
    [
        '"""As ``--weights`` does."""',
        "# --weights",
        'way = "tensorflowjs_converter --input_format=keras"',
        'way = "nnet3-copy --binary=false"',
        'note = "weights=FILE -- or none"',
    ],
)
def test_the_search_passes_docstrings_comments_and_options_of_others(line):
    assert options_named(line) == []


ARTICLES = {
    "an": ("int", "LSTM", "LSTMCell", "lstm", "mlstm", "RNN", "ONNX", "OptionalHasElement", "Unpack", "ndarray"),
    "a": ("dict", "GRU", "gru", "SimpleRNN", "simple_rnn", "OneHot", "uint8", "UnicodeText", "Network", "NoneType"),
}


@pytest.mark.parametrize("article", ARTICLES)
def test_a_name_gets_the_article_of_its_sound(article):
    assert [with_article(name) for name in ARTICLES[article]] == [f"{article} {name}" for name in ARTICLES[article]]
