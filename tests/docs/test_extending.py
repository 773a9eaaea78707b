"""docs/extending.md, followed word by word on a copy of the tree."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import Block, blocks_of
from tests.docs.conftest import ROOT

PAGE = ROOT / "docs" / "extending.md"
FILE = re.compile(r"# file: (\S+)\n")
PACKAGES = (
    "agents",
    "config",
    "documents",
    "embedding",
    "models",
    "roles",
    "stores",
    "streams",
    "web",
)


@pytest.fixture(scope="module")
def blocks() -> list[Block]:
    return blocks_of(PAGE)


@pytest.fixture(scope="module")
def followed(blocks: list[Block], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree with everything done to it that the page says."""
    copy = tmp_path_factory.mktemp("extended")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "tests" / "unit").mkdir(parents=True)
    for name in ("tests/models.yaml", "pyproject.toml"):
        shutil.copy(ROOT / name, copy / name)
    for block in blocks:
        new = FILE.match(block.code)
        if new:
            (copy / new[1]).write_text(block.code.removeprefix(new[0]))
        elif block.language == "diff":
            _patch(copy, block)
    return copy


def _patch(copy: Path, block: Block) -> None:
    """Apply a change by its context, wherever in the file that stands by now."""
    patched = subprocess.run(
        ["git", "apply", "--recount", "--unidiff-zero", "-C2", "--verbose", "-"],
        cwd=copy,
        input=block.code,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "GIT_CEILING_DIRECTORIES": str(copy.parent)},
    )
    assert patched.returncode == 0, f"{PAGE.name}, line {block.line}: {patched.stderr}"


def test_the_new_tests_of_the_page_pass_on_the_changed_tree(followed: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/unit"],
        cwd=followed,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert ran.returncode == 0, ran.stdout[-4000:]
    assert "4 passed" in ran.stdout


def test_the_changed_tree_names_the_new_type_to_clients(followed: Path) -> None:
    program = (
        "import json; from pathlib import Path; from embedding.catalog import load_catalog; "
        "from web.limits import WebLimits; from web.openapi import openapi; "
        "catalog = load_catalog(Path('tests/models.yaml'), 'hashing'); "
        "print(openapi(catalog, WebLimits(), version='1', guarded=False).decode())"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=followed, capture_output=True, text=True, check=True
    )
    assert "html_vectorization" in ran.stdout
    assert "cancelled_tasks" in ran.stdout


def test_the_changed_tree_keeps_to_the_import_directions(followed: Path) -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    ran = subprocess.run(
        [lint, "--no-logo", "--no-cache"],
        cwd=followed,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-2000:]


def test_every_file_the_page_names_exists(blocks: list[Block]) -> None:
    new = {match[1] for block in blocks if (match := FILE.match(block.code))}
    text = PAGE.read_text()
    named = set(re.findall(r"`([a-z_]+(?:/[\w]+)*\.(?:py|yaml|md))", text)) - new
    assert len(named) > 8
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
