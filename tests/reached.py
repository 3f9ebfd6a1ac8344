"""What a function of a test module uses, through all that it calls in tests; nothing is imported to see it."""

import ast
import functools
from pathlib import Path

__all__ = ["forget", "reached", "reached_at_import"]

ROOT = Path(__file__).parent.parent
SOURCES = (ROOT, ROOT / "extractor", ROOT / "cli")


@functools.cache
def reached(path, name):
    """Give the dotted names of foreign modules, and what is taken from them, that a function or class leads to."""
    found, seen, waiting = set(), set(), [(Path(path), name)]
    while waiting:
        place = waiting.pop()
        if place in seen:
            continue
        seen.add(place)
        module = _module(place[0])
        for there in module.leads_to(place[1]):
            if isinstance(there, tuple):
                waiting.append(there)
            else:
                found.add(there)
    return found


@functools.cache
def reached_at_import(path):
    """Give the dotted names of all modules that importing this one imports, as far as they are tests of ours."""
    found, seen, waiting = set(), set(), [Path(path)]
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        found.add(_dotted(path))
        for name in _module(path).imported:
            found.add(name)
            file = _file_of(name) or _file_of(name.rpartition(".")[0])
            if file and ROOT / "tests" in file.parents:
                waiting.append(file)
    return found


def forget():
    """Free the sources; they are read again when they are asked for."""
    for function in (reached, reached_at_import, _module):
        function.cache_clear()


class _Module:
    """One source: what its names are bound to, and which names each of its definitions uses."""

    def __init__(self, path):
        self.path, self.bound, self.imported, self.defined, self._known = path, {}, set(), {}, {}
        body = list(_run_at_import(ast.parse(path.read_text()).body))
        for node in body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = dict(_bindings(node, path))
            elif isinstance(node, ast.Assign) and (name := _skipped_without(node.value)):
                names = {target.id: name for target in node.targets if isinstance(target, ast.Name)}
            else:
                continue
            self.bound |= names
            self.imported |= set(names.values())
        for node in body:
            if not isinstance(node, ast.Import | ast.ImportFrom):
                for name in _names_of(node):
                    self.defined.setdefault(name, []).append(node)

    def leads_to(self, name):
        """Give what a definition uses: of ours as (file, name), what is foreign by its dotted name."""
        if name not in self._known:
            used = {name for node in self.defined.get(name, ()) for name in _used(node, self.path)}
            self._known[name] = {_resolved(self, name) for name in used} - {None}
        return self._known[name]


@functools.cache
def _module(path):
    return _Module(path)


def _run_at_import(body):
    """Yield the statements of a module, those that it tries as well."""
    for node in body:
        yield from node.body if isinstance(node, ast.Try) else [node]


def _bindings(node, path):
    """Yield each name that an import binds, and what to, dotted."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield (alias.asname, alias.name) if alias.asname else (alias.name.partition(".")[0], alias.name)
        return
    base = node.module or ""
    if node.level:
        package = _dotted(path.parent).split(".") if path.name != "__init__.py" else _dotted(path).split(".")
        base = ".".join([*package[: len(package) - node.level + 1], *([node.module] if node.module else [])])
    for alias in node.names:
        yield alias.asname or alias.name, f"{base}.{alias.name}"


def _skipped_without(node):
    """Name the module of ``pytest.importorskip("module")``."""
    if isinstance(node, ast.Call) and getattr(node.func, "attr", None) == "importorskip":
        return node.args[0].value
    return None


def _names_of(node):
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [name.id for target in targets if target for name in ast.walk(target) if isinstance(name, ast.Name)]


def _used(node, path):
    """Yield names and attributes of names, arguments too, which may be fixtures; imports inside as ``=dotted``."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        kind = type(node)
        if kind is ast.Name:
            yield node.id
        elif kind is ast.Attribute and type(node.value) is ast.Name:
            yield f"{node.value.id}.{node.attr}"
        elif kind is ast.Import or kind is ast.ImportFrom:
            yield from (f"={dotted}" for _, dotted in _bindings(node, path))
        elif name := _skipped_without(node):
            yield f"={name}"
        elif kind is not ast.Constant:
            if kind is ast.arg:
                yield node.arg
            for field in node._fields:
                value = getattr(node, field, None)
                waiting += [
                    inner for inner in (value if type(value) is list else [value]) if isinstance(inner, ast.AST)
                ]


def _resolved(module, used):
    """Give a definition of ours as (file, name), the dotted name of something foreign, or None for a variable."""
    if used.startswith("="):
        return _inside(used[1:])
    first, _, rest = used.partition(".")
    if first in module.bound:
        return _inside(f"{module.bound[first]}.{rest}" if rest else module.bound[first])
    if first in module.defined:
        return module.path, first
    for fixtures in _conftests(module.path.parent):
        if first in _module(fixtures).defined:
            return fixtures, first
    return None


@functools.cache
def _conftests(folder):
    return [path for path in (above / "conftest.py" for above in (folder, *folder.parents)) if path.exists()]


@functools.cache
def _inside(dotted):
    """Follow a dotted name into the tests; all else is foreign, the library as well."""
    if dotted.startswith("tests."):
        base, _, name = dotted.rpartition(".")
        if (file := _file_of(base)) and not _file_of(dotted):
            return file, name
    return dotted


@functools.cache
def _file_of(dotted):
    for source in SOURCES:
        base = source.joinpath(*dotted.split("."))
        if (file := base.with_suffix(".py")).is_file() or (file := base / "__init__.py").is_file():
            return file
    return None


def _dotted(path):
    """Name a file or folder as an import would."""
    for source in reversed(SOURCES):
        if source in path.parents or path == source:
            parts = path.relative_to(source).with_suffix("").parts
            return ".".join(part for part in parts if part != "__init__")
    return path.stem
