"""The shape of the code: packages that are packages, and budgets that are kept."""

import ast
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FILE_LINES = 500
CLASS_METHODS = 15
FUNCTION_LINES = 60
STARTED_ONLY = {"scripts", "benchmarks", "src"}  # never imported by the packages above them

Function = ast.FunctionDef | ast.AsyncFunctionDef


def test_every_checked_folder_is_a_package(
    root: Path, files: list[Path], pyproject: dict[str, Any]
) -> None:
    """Without `__init__.py` import-linter skips a folder and stays green."""
    checked = {*pyproject["tool"]["importlinter"]["root_packages"], *STARTED_ONLY}
    names = [path.relative_to(root) for path in files if path.suffix == ".py"]
    folders = {parent for name in names if name.parts[0] in checked for parent in name.parents}
    folders = {*folders, *map(Path, checked)} - {Path()}
    assert [str(f) for f in sorted(folders) if not (root / f / "__init__.py").is_file()] == []


def test_our_packages_win_over_installed_ones_of_the_same_name(
    root: Path, pyproject: dict[str, Any]
) -> None:
    packages = {*pyproject["tool"]["importlinter"]["root_packages"], *STARTED_ONLY}
    specs = {name: importlib.util.find_spec(name) for name in sorted(packages)}
    found = {name: spec.origin if spec else None for name, spec in specs.items()}
    assert found == {name: str(root / name / "__init__.py") for name in sorted(packages)}


def test_every_package_is_type_checked_and_import_checked(pyproject: dict[str, Any]) -> None:
    linted = set(pyproject["tool"]["importlinter"]["root_packages"])
    typed = set(pyproject["tool"]["mypy"]["files"])
    assert typed == linted | STARTED_ONLY | {"faust_app.py"}


def test_no_file_is_longer_than_its_budget(root: Path, sources: dict[str, ast.Module]) -> None:
    lengths = {name: len((root / name).read_text().splitlines()) for name in sources}
    assert {name: lines for name, lines in lengths.items() if lines > FILE_LINES} == {}


def test_no_class_has_more_methods_than_its_budget(sources: dict[str, ast.Module]) -> None:
    counts = {
        f"{name}: {node.name}": sum(isinstance(part, Function) for part in node.body)
        for name, tree in sources.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    assert {name: count for name, count in counts.items() if count > CLASS_METHODS} == {}


def test_no_function_is_longer_than_its_budget(sources: dict[str, ast.Module]) -> None:
    lengths = {
        f"{name}:{function.lineno} {function.name}": _length(function)
        for name, tree in sources.items()
        for function in _functions(tree)
    }
    assert {name: lines for name, lines in lengths.items() if lines > FUNCTION_LINES} == {}


def _functions(tree: ast.Module) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def _length(function: Function) -> int:
    """Lines from `def` to the end, without the docstring."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    if ast.get_docstring(function) is not None:
        docstring = function.body[0]
        lines -= (docstring.end_lineno or docstring.lineno) - docstring.lineno + 1
    return lines
