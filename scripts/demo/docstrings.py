"""The docstrings of Python's standard library, read from its sources; nothing is imported."""

import ast
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

LEAST_CHARS = 15
MOST_CHARS = 2_000
LONGEST_ID = 256  # the service's own limit
LEFT_OUT = frozenset({
    "test", "tests", "idlelib", "lib2to3", "turtledemo", "encodings", "pydoc_data", "_bundled",
    "site-packages", "dist-packages", "__pycache__",
})  # fmt: skip

Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Docstring:
    """One docstring under the full name of what it documents."""

    item: str
    text: str


def stdlib_folder() -> Path:
    """Where the sources of the running Python's standard library lie."""
    return Path(sysconfig.get_path("stdlib"))


def collect(folder: Path | None = None, *, limit: int | None = None) -> list[Docstring]:
    """The docstrings below `folder`, in the order of the files, each name once."""
    return list(islice(_unique(folder or stdlib_folder()), limit))


def _unique(folder: Path) -> Iterator[Docstring]:
    """Each name once: a function that is defined once per platform keeps its first docstring."""
    seen: set[str] = set()
    for path in _sources(folder):
        for found in _docstrings_of(path, _module_name(path.relative_to(folder))):
            if found.item not in seen:
                seen.add(found.item)
                yield found


def _sources(folder: Path) -> list[Path]:
    names = (path.relative_to(folder) for path in folder.rglob("*.py"))
    return [folder / name for name in sorted(names) if _belongs(name)]


def _belongs(name: Path) -> bool:
    top = name.parts[0].removesuffix(".py")
    return top in sys.stdlib_module_names and not LEFT_OUT.intersection(name.parts)


def _module_name(name: Path) -> str:
    return ".".join(name.with_suffix("").parts).removesuffix(".__init__")


def _docstrings_of(path: Path, module: str) -> Iterator[Docstring]:
    try:
        tree = ast.parse(path.read_bytes())
    except (
        SyntaxError,
        ValueError,
    ):  # a few files of the library are templates or broken on purpose
        return
    for name, node in _documented(tree, module):
        text = (ast.get_docstring(node) or "").strip()
        if len(text) >= LEAST_CHARS and len(name) <= LONGEST_ID:
            yield Docstring(name, text[:MOST_CHARS].rstrip())


def _documented(node: Documented, name: str) -> Iterator[tuple[str, Documented]]:
    yield name, node
    for child in _definitions(node):
        yield from _documented(child, f"{name}.{child.name}")


def _definitions(node: ast.AST) -> Iterator[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    """The definitions directly in `node`, those under an `if` or a `try` included."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield child
        elif not isinstance(child, ast.expr):
            yield from _definitions(child)
