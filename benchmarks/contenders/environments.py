"""Python environments of contenders that cannot live in ours: made by uv once, then kept.

They lie beside the stack's tools in the user's cache, named by what makes them, so that another
version never meets an old one.
"""

import hashlib
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.stack.builds import build_once, run_with_progress
from scripts.stack.errors import MissingTool
from scripts.stack.places import environment, tools_dir

Say = Callable[[str], None]
PYTHON = "bin/python"
PROOF = "installed"


@dataclass(frozen=True, slots=True)
class Recipe:
    """What an environment holds."""

    name: str
    requirements: Sequence[str]
    expected: str
    """About how long it takes to make, in words."""


#: infinity 0.0.78 calls optimum's BetterTransformer, which optimum 2 and transformers 4.49 ended;
#: the NumPy 1 that it asks for ends pyarrow at 19. torch is ours: the same kernels for both.
INFINITY = Recipe(
    "infinity",
    (
        "infinity-emb[torch,server,optimum]==0.0.78",
        "transformers<4.49",
        "optimum<2",
        "pyarrow<20",
        "torch==2.15.0",
    ),
    "a few minutes and 6 GB, once",
)
#: Runs with our torch and sentence-transformers beside it.
ONNX = Recipe(
    "onnx",
    ("onnxruntime==1.31.1", "onnx==1.23.2", "onnxscript==0.7.2"),
    "200 MB, once",
)
#: Likewise.
CELERY = Recipe("celery", ("celery[redis]==5.7.0",), "15 MB, once")


def python_of(recipe: Recipe, say: Say) -> Path:
    """The Python of this environment, made if need be. Raises StackError."""
    wanted = "\n".join([*recipe.requirements, f"{sys.version_info[:2]}"])
    label = hashlib.sha256(wanted.encode()).hexdigest()[:8]
    target = tools_dir(environment()) / f"bench-{recipe.name}-{label}"
    build_once(target, PROOF, lambda folder: _make(recipe, folder, say), what=recipe.name, say=say)
    return target / PYTHON


def _make(recipe: Recipe, folder: Path, say: Say) -> None:
    """Make it in `folder`, from which it is moved."""
    uv, log = _uv(), tools_dir(environment()) / "logs" / f"bench-{recipe.name}.log"
    python = str(folder / PYTHON)
    steps = (
        [uv, "venv", "--relocatable", "--allow-existing", "--python", sys.executable, str(folder)],
        [uv, "pip", "install", "--python", python, *recipe.requirements],
    )
    for step in steps:
        run_with_progress(
            step,
            env=environment(),
            log=log,
            what=f"{' '.join(step[1:3])} for the contender {recipe.name}",
            expected=recipe.expected,
            say=say,
        )
    (folder / PROOF).write_text("\n".join(recipe.requirements), encoding="utf-8")


def _uv() -> str:
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found is None:
        raise MissingTool(
            "contenders' environments are made by uv, and there is no uv", "make setup"
        )
    return found
