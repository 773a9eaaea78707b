"""A folder for tables that one process has for itself, and finds again when it comes back."""

import fcntl
import os
from pathlib import Path

#: More processes of a role on one machine than anybody has.
MOST = 1000
LOCK = "lock"
#: Open for as long as this process lives; the system lets go of the locks, however it ends.
_HELD: list[int] = []


class NoFolderFree(Exception):
    """Every numbered folder is in use, which no machine can mean."""


def own_folder(parent: Path) -> Path:
    """Take the first numbered folder below `parent` that no living process has.

    A process that starts again gets the one it had, with its tables, unless another was faster.
    Raises NoFolderFree.
    """
    for number in range(MOST):
        folder = parent / str(number)
        folder.mkdir(parents=True, exist_ok=True)
        held = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(held)
            continue
        _HELD.append(held)
        return folder
    raise NoFolderFree(f"{MOST} folders in {parent} are in use")
