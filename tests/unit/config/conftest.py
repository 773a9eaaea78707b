"""A checkout of its own for every test, so that no developer's `.env` or stack is read."""

import json
from pathlib import Path

import pytest

from config.settings import Settings, load_settings


class Checkout:
    """A folder with the files that settings are read from."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def env_file(self, text: str) -> None:
        (self.root / ".env").write_text(text, encoding="utf-8")

    def yaml_file(self, text: str, name: str = "config/master.yaml") -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def stack_state(self, settings: dict[str, object], folder: str = ".stack") -> Path:
        path = self.root / folder / "state.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"settings": settings}), encoding="utf-8")
        return path.parent

    def load(self, **environ: str) -> Settings:
        return load_settings(environ, root=self.root)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)
