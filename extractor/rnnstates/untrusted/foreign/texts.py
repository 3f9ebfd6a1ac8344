"""Recognises text files by their first kilobytes: web pages, pointer files, JSON by its keys, numbers, words."""

import re

from .kind import Holds, Kind

__all__ = ["UTF8_MARK", "is_text", "json_keys", "kind_of_mark_up", "kind_of_prose"]

# The byte order mark that some editors put before UTF-8 text.
UTF8_MARK = b"\xef\xbb\xbf"

_BEGINNINGS: tuple[tuple[bytes, str], ...] = (
    (rb"(?i)<!doctype html|<html[\s>]|<head[\s>]|<body[\s>]", "html"),
    (rb"version https?://(git-lfs\.github\.com|hawser\.github\.com)", "lfs"),
    (rb"/annex/objects/|(\.\./)*\.git/annex/objects/", "annex"),
    (rb"outs:\r?\n- md5:", "dvc"),
    (rb"model_checkpoint_path:", "checkpoint list"),
    (rb"(node|meta_info_def|versions)\s*\{\s", "graph text"),
    (rb"#!", "script"),
    (rb"(?s)(<\?xml[^>]*>\s*)?<net\s[^>]*(version|name)=", "openvino"),
    (rb"(?s)(<\?xml[^>]*>\s*)?<Error>|<\?xml[^>]*>\s*<Error", "error page"),
    (rb"(?i)(<\?xml[^>]*>\s*)(<!doctype html|<html)", "html"),
    (rb"<\?xml|<[A-Za-z][\w:.-]*[\s>]", "xml"),
    (rb"\d{7}\s+\d+\s+\d+\s+Input\s", "ncnn"),
    (rb"7767517\s", "ncnn"),
    (rb"4\n1\n3\nV 1\n", "torch7"),
)
# Keys that are all at the top of a JSON object: what it is.
_KEYS: tuple[tuple[frozenset[str], str], ...] = tuple(
    (frozenset(keys.split()), kind)
    for keys, kind in (
        ("weight_map", "safetensors index"),
        ("modelTopology", "tfjs"),
        ("weightsManifest", "tfjs"),
        ("class_name config", "keras config"),
        ("nbformat cells", "notebook"),
        ("nbformat metadata", "notebook"),
        ("architectures", "hugging face config"),
        ("model_type", "hugging face config"),
        ("error", "error page"),
        ("errors", "error page"),
        ("message documentation_url", "error page"),
        ("detail", "error page"),
    )
)
_LOOKED_AT = 2048
_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"|([{}\[\]])')
_FOLLOWS = re.compile(r'\s*:\s*("([^"\\]{0,40})")?')


def is_text(start: bytes) -> bool:
    """Return whether bytes are the start of a non-blank text in UTF-8."""
    start = start[:_LOOKED_AT]
    text = start.removeprefix(UTF8_MARK).decode("utf-8", "ignore")
    # The last character may be cut: up to three bytes are dropped.
    complete = len(text.encode()) + len(UTF8_MARK) * start.startswith(UTF8_MARK) + 3 >= len(start)
    return complete and bool(text.strip()) and text.translate(dict.fromkeys(map(ord, "\t\r\n"))).isprintable()


def json_keys(text: str) -> dict[str, str]:
    """List the top keys of a JSON object, which may be cut short, with their values if those are short strings.

    Examples
    --------
    >>> json_keys('{"format": "layers-model", "a": {"b": 1}, "c": [{"d"')
    {'format': 'layers-model', 'a': '', 'c': ''}
    """
    keys: dict[str, str] = {}
    depth = 0
    for token in _TOKEN.finditer(text):
        if token[2]:
            depth += 1 if token[2] in "{[" else -1
        elif depth == 1 and (follows := _FOLLOWS.match(text, token.end())):
            keys[token[1]] = follows[2] or ""
    return keys


def kind_of_mark_up(start: bytes) -> str:
    """Return the kind of a machine-readable text; empty for any other text."""
    lines = start.removeprefix(UTF8_MARK).lstrip()
    for pattern, kind in _BEGINNINGS:
        if re.match(pattern, lines):
            return kind
    if lines[:1] == b"[" and re.match(rb"\[\s*([\[\]\"\d{.\-]|null|true|false|$)", lines):
        return "json list"
    if lines[:1] == b"{" and re.match(rb"\{\s*[\"}]", lines):
        return _kind_of_json(lines.decode("utf-8", "replace"))
    return ""


def _kind_of_json(text: str) -> str:
    keys = json_keys(text)
    if keys.get("format") == "graph-model":
        return "tfjs graph"
    if keys.get("format") == "layers-model":
        return "tfjs"
    if "weight_map" in keys and '.weights.h5"' in text:
        return "keras shards"
    return next((kind for wanted, kind in _KEYS if wanted <= keys.keys()), "json")


def kind_of_prose(start: bytes) -> Kind:
    """Describe free text by its content: one number per line, a table of numbers, or words."""
    text = start[:_LOOKED_AT].removeprefix(UTF8_MARK).decode("utf-8", "ignore")
    lines = [line for line in text.splitlines() if line.strip()]
    # The last line may be cut.
    whole = lines[:-1] if len(start) > _LOOKED_AT and len(lines) > 1 else lines
    rows = [re.split(r"[\s,;]+", line.strip().strip(",;")) for line in whole]
    return Kind(f"text that starts with {lines[0][:40]!r}", _advice(rows, lines[-1]), Holds.VALUES)


def _advice(rows: list[list[str]], line: str) -> str:
    """Say what to do with a text of these words on each line; the first line may be a header."""
    if not all(map(_are_numbers, rows[1:] or rows)):
        return _VECTORS if _are_vectors(rows) else _WORDS
    comma = next((f", delimiter={sign!r}" for sign in ",;" if sign in line), "")
    read = f"np.loadtxt(FILE{comma}{'' if _are_numbers(rows[0]) else ', skiprows=1'})"
    if max(map(len, rows)) == 1:
        return (
            "One number per line is what lengths= and ids= take. As one feature of (N, T, 1): "
            f"np.save('inputs.npy', {read}.reshape(N, T, 1))."
        )
    return f"Read it with {read}, shape it with .reshape(N, T, I) and save it with np.save."


_WORDS = (
    "Map words to token ids by the vocabulary of the weights: np.save('ids.npy', an integer array (N, T), padded), "
    "with weights that have an embedding. Read numbers with np.loadtxt, shape them with .reshape and save them with "
    "np.save."
)
_VECTORS = (
    "It looks like a table of word vectors: look up the words of each sequence in it and save the vectors as (N, T, I) "
    "with np.save."
)


def _are_numbers(row: list[str]) -> bool:
    return all(re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|nan|inf|NA|NaN", part) for part in row)


def _are_vectors(rows: list[list[str]]) -> bool:
    """Return whether every line is a word and many numbers; a first line may give the counts."""
    lines = [row for row in rows if len(row) > 8]
    return len(lines) >= max(1, len(rows) - 1) and all(
        _are_numbers(row[1:]) and not _are_numbers(row[:1]) for row in lines
    )
