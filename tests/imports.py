"""What the modules of a package import, seen in their source however it is written."""

import ast
import functools

__all__ = ["imported_modules", "room_of", "rooms_imported"]


@functools.cache
def imported_modules(path, package_root):
    """Give the modules that a file imports, also inside functions: those of its package with a dot in front.

    ``import a.b``, ``from a.b import c``, ``from . import a``, ``import_module("a.b")``, ``import_module(".a", …)``
    and ``__import__("a.b")`` are all seen. What is imported from a module may be one as well: both are given.
    """
    return tuple(_imported(ast.parse(path.read_text()), list(path.relative_to(package_root).parts[:-1])))


def _imported(tree, here):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node.level, node.module, here)
            yield from (f"{base}.{alias.name}" if base != "." else f".{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and _called(node.func) in ("import_module", "__import__") and node.args:
            if isinstance(node.args[0], ast.Constant):
                name = str(node.args[0].value)
                level = len(name) - len(name.lstrip("."))
                yield _absolute(level, name.lstrip("."), here)
            elif isinstance(node.args[0], ast.JoinedStr):
                # A name that is put together: what it begins with.
                first = node.args[0].values[0]
                name = str(first.value) if isinstance(first, ast.Constant) else ""
                if name.strip("."):
                    yield _absolute(len(name) - len(name.lstrip(".")), name.strip("."), here)


def _absolute(level, module, here):
    if not level:
        return module
    return "." + ".".join([*here[: len(here) - level + 1], *([module] if module else [])])


def _called(function):
    return getattr(function, "attr", getattr(function, "id", None))


def room_of(path, package_root):
    """Name the room at the root of a package that a file stands in: a folder, or a module."""
    return path.relative_to(package_root).parts[0].removesuffix(".py")


def rooms_imported(path, package_root):
    """Name the rooms and the foreign packages that a file imports, without its own room."""
    own = package_root.name
    for name in imported_modules(path, package_root):
        inside = name[1:] if name.startswith(".") else name.removeprefix(f"{own}.") if name != own else ""
        room = inside.partition(".")[0]
        if room and room != room_of(path, package_root):
            yield room
