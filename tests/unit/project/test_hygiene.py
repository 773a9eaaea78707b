"""What must stand nowhere in the project: skipped tests, one machine's paths, bare exceptions."""

import ast
import re
from pathlib import Path

SKIPS = {"skip", "skipif", "importorskip", "skipTest", "skipIf", "skipUnless"}
# In two parts, or this file would name what it forbids.
HOMES = "|".join(["wo" + "rk", "ro" + "ot", r"ho" + r"me/[a-z][\w-]*", r"User" + r"s/\w+"])
MACHINE_PATH = re.compile(rf"(?<![\w./}}*~-])/(?:{HOMES})(?![\w-])")
CODE_IN_LIST = re.compile(r'^ {4}"[A-Z]+[0-9]*",')


def test_no_test_is_skipped(sources: dict[str, ast.Module]) -> None:
    """A missing server or tool is a failure that says what to install, not a silent pass."""
    skips = [
        f"{name}:{node.lineno} {node.attr}"
        for name, tree in sources.items()
        if name.startswith("tests/")
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in SKIPS and _is_of_tests(node.value)
    ]
    assert skips == []


def _is_of_tests(node: ast.expr) -> bool:
    names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
    return bool(names & {"pytest", "unittest", "self", "mark"})


def test_no_file_names_a_path_of_one_machine(root: Path, files: list[Path]) -> None:
    found = [
        f"{path.relative_to(root)}: {match.group()}"
        for path in files
        for match in MACHINE_PATH.finditer(path.read_text(encoding="utf-8", errors="replace"))
    ]
    assert found == []


def test_the_machine_path_pattern_tells_paths_from_other_text() -> None:
    paths = ["/ro" + "ot/x", '"/wo' + 'rk"', "in /ho" + "me/ann/code"]
    others = ["/workers", "tests/work", "/rootless", "/api/root", "$HOME", "{dir}/work"]
    assert [bool(MACHINE_PATH.search(text)) for text in paths] == [True] * len(paths)
    assert [bool(MACHINE_PATH.search(text)) for text in others] == [False] * len(others)


def test_every_ignored_lint_rule_has_its_reason(root: Path) -> None:
    lines = (root / "pyproject.toml").read_text().splitlines()
    ignores = [line for line in lines if CODE_IN_LIST.match(line)]
    assert ignores
    assert [line for line in ignores if "#" not in line] == []
