"""docs/settings.md, .env.example and the shipped YAML files say what the settings are."""

import hashlib
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from config.names import all_settings
from config.settings import CHECKOUT, Settings
from scripts import settings_page
from tests.unit.config.conftest import Checkout

HEAVY = ("torch", "faust", "aiokafka", "weaviate", "redis", "sentence_transformers", "transformers")


def test_the_settings_page_is_up_to_date() -> None:
    written = settings_page.PAGE.read_text(encoding="utf-8")
    assert written == settings_page.page(), "run python scripts/settings_page.py"


def test_the_env_example_is_up_to_date() -> None:
    written = settings_page.ENV_EXAMPLE.read_text(encoding="utf-8")
    assert written == settings_page.env_example(), "run python scripts/settings_page.py"


def test_every_setting_stands_on_the_page_with_all_its_variables() -> None:
    page = settings_page.PAGE.read_text(encoding="utf-8")
    for setting in all_settings().values():
        assert f"| `{setting.name}` |" in page
        assert all(f"`{variable}`" in page for variable in setting.variables)


def test_every_setting_stands_in_the_env_example() -> None:
    example = settings_page.ENV_EXAMPLE.read_text(encoding="utf-8")
    for setting in all_settings().values():
        assert f"\n# {setting.variables[0]}=" in example


def test_the_env_example_copied_as_it_is_changes_nothing(checkout: Checkout) -> None:
    checkout.env_file(settings_page.ENV_EXAMPLE.read_text(encoding="utf-8"))
    assert checkout.load() == Settings()
    assert checkout.load().origins == {}


def uncommented(text: str) -> str:
    lines = text.splitlines()
    return "\n".join(
        line.removeprefix("# ")
        for line in lines
        if line.startswith("# VECTORIZE_") or not line.startswith("#")
    )


def test_the_env_example_with_every_line_taken_gives_the_defaults(checkout: Checkout) -> None:
    checkout.env_file(uncommented(settings_page.ENV_EXAMPLE.read_text(encoding="utf-8")))
    settings = checkout.load()
    assert len(settings.origins) == len(all_settings()) + 1
    assert settings.model_dump() == Settings().model_dump()


def test_the_shipped_yaml_shadows_nothing(checkout: Checkout) -> None:
    checkout.yaml_file((CHECKOUT / "config/master.yaml").read_text(encoding="utf-8"))
    assert checkout.load().origins == {}


def test_the_shipped_yaml_with_every_line_taken_gives_the_defaults(checkout: Checkout) -> None:
    text = (CHECKOUT / "config/master.yaml").read_text(encoding="utf-8")
    checkout.yaml_file(
        "\n".join("  " + line[3:] if line.startswith("#  ") else line for line in text.splitlines())
    )
    settings = checkout.load()
    assert len(settings.origins) > 20
    assert settings.database.weaviate_grpc_address == Settings().database.weaviate_grpc_address
    ours, defaults = settings.model_dump(), Settings().model_dump()
    del ours["database"]["weaviate_grpc_url"], defaults["database"]["weaviate_grpc_url"]
    assert ours == defaults


def test_the_page_writer_tells_stale_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings_page, "PAGE", tmp_path / "settings.md")
    monkeypatch.setattr(settings_page, "ENV_EXAMPLE", tmp_path / ".env.example")
    assert settings_page.main(["--check"]) == 1
    assert settings_page.main([]) == 0
    assert settings_page.main(["--check"]) == 0


def test_the_catalog_holds_the_default_model_and_its_files_hash() -> None:
    settings = Settings()
    entries = yaml.safe_load(settings.models_path.read_text(encoding="utf-8"))["models"]
    entry = next(entry for entry in entries if entry["name"] == settings.task.default_model)
    package = importlib.util.find_spec(entry["source"]["package"])
    assert package is not None
    assert package.origin is not None
    weights = Path(package.origin).parent / entry["source"]["folder"] / "model.safetensors"
    with weights.open("rb") as stream:
        assert hashlib.file_digest(stream, "sha256").hexdigest() == entry["sha256"]


def test_reading_the_settings_imports_nothing_heavy() -> None:
    program = (
        "import sys, config.settings, config.logging;"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
