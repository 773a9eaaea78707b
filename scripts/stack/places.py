"""Where the stack keeps things; the only file of the stack that reads the environment."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

STACK_DIR_VARIABLE = "VECTORIZE_STACK_DIR"
CHECKOUT = Path(__file__).resolve().parents[2]


def environment() -> dict[str, str]:
    """A copy of this process's environment, to hand on to children."""
    return dict(os.environ)


def tools_dir(environ: Mapping[str, str]) -> Path:
    """The folder of fetched and built servers, shared by all stacks of this user."""
    cache = environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "vectorize" / "tools"


def stack_dir(environ: Mapping[str, str]) -> Path:
    """The folder of the stack that this shell means: the variable's, else the checkout's."""
    named = environ.get(STACK_DIR_VARIABLE)
    return Path(named).expanduser().resolve() if named else CHECKOUT / ".stack"


def new_ephemeral_dir() -> Path:
    """A fresh folder for a stack that leaves nothing behind."""
    return Path(tempfile.mkdtemp(prefix="vectorize-stack-"))


def state_file(directory: Path) -> Path:
    """The stack's memory, read by the service's settings too."""
    return directory / "state.json"


def log_file(directory: Path, service: str) -> Path:
    """Everything one server printed."""
    return directory / "logs" / f"{service}.log"


def data_dir(directory: Path, service: str) -> Path:
    """One server's data and configuration."""
    return directory / service


def is_root() -> bool:
    """Whether this process may install Debian packages."""
    return os.geteuid() == 0
