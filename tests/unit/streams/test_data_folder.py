"""Folders for tables: one for each process that lives, the same again for one that comes back."""

import subprocess
import sys
from pathlib import Path

import pytest

from streams import data_folder
from streams.data_folder import NoFolderFree, own_folder

#: Takes a folder, says which, and holds it until it is told to end.
HOLDER = (
    "import sys; from pathlib import Path; from streams.data_folder import own_folder; "
    "print(own_folder(Path(sys.argv[1])).name, flush=True); sys.stdin.read()"
)


def test_each_living_process_has_its_own_and_a_dead_ones_is_taken_again(tmp_path: Path) -> None:
    assert own_folder(tmp_path).name == "0"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline().strip() == "1"
        assert own_folder(tmp_path).name == "2"
        other.kill()
        other.wait()
        assert own_folder(tmp_path).name == "1"


def test_there_is_an_end_to_how_many_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_folder, "MOST", 1)
    own_folder(tmp_path)
    with pytest.raises(NoFolderFree, match="1 folders"):
        own_folder(tmp_path)
