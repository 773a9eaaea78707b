"""docs/operations.md and docs/architecture.md name what there is."""

import re
from pathlib import Path

import pytest
from prometheus_client import REGISTRY, CollectorRegistry

from config.model import Settings
from embedding import figures as encoder_figures
from models.errors import HandedBack
from streams import figures
from streams.topics import TopicOptions, topic_specs
from tests.docs.conftest import ROOT
from web.metrics import WebMeters

OPERATIONS, ARCHITECTURE = ROOT / "docs" / "operations.md", ROOT / "docs" / "architecture.md"
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
PAGES = [OPERATIONS, ARCHITECTURE, ROOT / "docs" / "extending.md", *DECISIONS]
ROW = re.compile(r"^\| `(vectorize_\w+)` \| ([^|]*)\|", re.MULTILINE)


def families() -> dict[str, list[str]]:
    """Every family of ours with its labels."""
    door = CollectorRegistry()
    WebMeters(door)
    assert figures.ROWS is not None
    assert encoder_figures.MODELS is not None
    found = {}
    for registry in (REGISTRY, door):
        for collector in set(registry._collector_to_names):
            name = str(getattr(collector, "_name", ""))
            if name.startswith("vectorize_"):
                found[name] = sorted(getattr(collector, "_labelnames", ()))
    return found


def test_every_metric_family_is_listed_with_its_labels() -> None:
    listed = {
        name: sorted(re.findall(r"`(\w+)`", labels))
        for name, labels in ROW.findall(OPERATIONS.read_text())
    }
    assert listed == families()


def test_every_topic_is_listed_in_the_architecture() -> None:
    text = ARCHITECTURE.read_text().replace("` `.", "` `vectorize.units.")
    lanes = {"vectorize.files", "vectorize.units", "vectorize.vectors"}
    for spec in topic_specs(TopicOptions()):
        stem = spec.name.rpartition(".")[0]
        name = f"{stem}.high" if stem in lanes else spec.name
        assert f"`{name}`" in text, spec.name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_setting_and_every_file_that_a_page_names_exists(page: Path) -> None:
    settings, text = Settings(), page.read_text()
    sections = "|".join(sorted(set(Settings.model_fields) - {"role", "origins"}))
    for path in re.findall(rf"`((?:{sections})\.[a-z_]+)`", text):
        assert settings.value_of(path) is not HandedBack, path
    packages = "agents|documents|embedding|models|roles|stores|streams|web"
    for name in re.findall(rf"`((?:{packages})/\w+\.py)`", text):
        if page.name != "extending.md":  # its new files have a test of their own
            assert (ROOT / name).is_file(), name
    for target in re.findall(r"\]\(([^)#]+)", text):
        assert (page.parent / target).exists(), target


def test_the_decisions_are_numbered_and_told_alike() -> None:
    assert [page.name[:4] for page in DECISIONS] == [
        f"{n:04}" for n in range(1, len(DECISIONS) + 1)
    ]
    for page in DECISIONS:
        headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
        assert headings[0].startswith(f"{page.name[:4]} "), page.name
        assert headings[1:] == ["Context", "Decision", "Consequences"], page.name
