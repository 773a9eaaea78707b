"""The catalog: names, aliases, passports, and errors a person can act on."""

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from embedding.catalog import Catalog, CatalogError, ModelEntry, load_catalog
from models.encoding import EncodeOptions, Truncate
from models.errors import InvalidRequest, UnknownModel
from tests.unit.embedding.fakes import hashing_entry

ROOT = Path(__file__).resolve().parents[3]
MINILM = "sentence-transformers/all-MiniLM-L6-v2"
HASHING = """
models:
  - {name: a/one, aliases: [one], revision: "1", dimension: 4, max_tokens: 8, backend: hashing}
"""


def _written(folder: Path, text: str) -> Path:
    path = folder / "models.yaml"
    path.write_text(text)
    return path


def test_a_model_is_found_by_name_by_alias_and_by_default(catalog: Catalog) -> None:
    entry = catalog.resolve(MINILM)
    assert entry is catalog.resolve("all-MiniLM-L6-v2")
    assert entry is catalog.resolve(None)
    assert catalog.names() == (
        MINILM,
        "test/hashing-384",
        "test/hashing-64",
        "test/hashing-options",
    )


def test_an_unknown_model_is_refused_with_the_allowed_names(catalog: Catalog) -> None:
    with pytest.raises(UnknownModel, match="'gpt'; allowed: sentence-transformers/all-Mini") as no:
        catalog.resolve("gpt")
    assert no.value.allowed == catalog.names()


def test_the_catalog_the_service_ships_can_be_read() -> None:
    shipped = load_catalog(ROOT / "config" / "models.yaml", MINILM)
    assert shipped.resolve(None).name == MINILM


def test_the_same_model_has_the_same_passport_in_both_catalogs(catalog: Catalog) -> None:
    shipped = load_catalog(ROOT / "config" / "models.yaml", MINILM)
    assert shipped.resolve(None).passport == catalog.resolve(None).passport


def test_the_fingerprint_never_changes_by_accident(catalog: Catalog) -> None:
    """Vectors already stored are found under it: a new value here orphans all of them."""
    assert catalog.resolve(MINILM).fingerprint == "2ac2e65e0f34"


@pytest.mark.parametrize(
    "change",
    [
        {"name": "test/other"},
        {"revision": "2"},
        {"sha256": "0" * 64},
        {"dimension": 17},
        {"normalize": False},
        {"prompts": {"document": "passage: "}},
    ],
    ids=str,
)
def test_the_fingerprint_changes_with_what_makes_a_vector(change: dict[str, object]) -> None:
    plain = hashing_entry()
    changed = ModelEntry.model_validate({**plain.model_dump(), **change})
    assert changed.fingerprint != plain.fingerprint
    assert len(changed.fingerprint) == 12


OTHER_SPACES = [{"dimensions": 4}, {"normalize": False}, {"prompt": "query: "}]


@pytest.mark.parametrize("change", OTHER_SPACES, ids=str)
def test_a_task_that_asks_for_other_vectors_gets_another_passport(
    change: dict[str, object],
) -> None:
    entry = hashing_entry(matryoshka=[4])
    options = EncodeOptions.model_validate({**entry.default_options().model_dump(), **change})
    passport = entry.passport_of(options)
    assert passport.fingerprint != entry.fingerprint
    assert passport.dimension == (options.dimensions or entry.dimension)
    assert (passport.normalized, passport.prompt) == (options.normalize, options.prompt)


def test_all_these_passports_differ_from_each_other() -> None:
    entry, plain = hashing_entry(), hashing_entry().default_options()
    asked = [plain.model_copy(update=change) for change in OTHER_SPACES]
    assert len({entry.passport_of(options).fingerprint for options in asked}) == len(asked)


def test_asking_for_what_is_the_default_gives_the_models_own_passport() -> None:
    entry = hashing_entry(normalize=False, prompts={"document": "passage: "})
    assert entry.passport_of(entry.default_options()) == entry.passport
    spelled = EncodeOptions(
        prompt="passage: ", dimensions=entry.dimension, normalize=False, truncate=Truncate.START
    )
    assert entry.passport_of(spelled) == entry.passport


def test_input_types_name_prompts_and_two_are_always_known() -> None:
    entry = hashing_entry(prompts={"query": "query: ", "code": "code: "})
    assert entry.input_types == ("document", "query", "code")
    assert [entry.prompt_of(name) for name in entry.input_types] == ["", "query: ", "code: "]


def test_an_unknown_input_type_is_refused_with_the_known_ones() -> None:
    with pytest.raises(
        InvalidRequest, match="knows no input type 'title'; known: document, que"
    ) as no:
        hashing_entry().prompt_of("title")
    assert (no.value.field, no.value.given) == ("input_type", "title")


def test_aliases_and_batch_limits_leave_the_fingerprint_alone() -> None:
    more = {"aliases": ["x"], "batch_texts": 4, "batch_tokens": 64, "matryoshka": [8]}
    more["prompts"] = {"query": "query: "}
    assert hashing_entry(**more).fingerprint == hashing_entry().fingerprint


@pytest.mark.parametrize(
    "name,collection",
    [
        (MINILM, "AllMiniLML6V2"),
        ("BAAI/bge-small-en-v1.5", "BgeSmallEnV15"),
        ("plain", "Plain"),
        ("org/3d_model", "Model3dModel"),
    ],
)
def test_the_collection_is_the_name_in_camel_case(name: str, collection: str) -> None:
    assert hashing_entry(name).collection == collection


def test_an_entry_is_frozen(catalog: Catalog) -> None:
    with pytest.raises(ValidationError):
        catalog.resolve(None).dimension = 3  # type: ignore[misc]


def test_a_folder_on_disk_is_relative_to_the_catalog(tmp_path: Path) -> None:
    text = HASHING.replace("backend:", "source: {folder: weights}, backend:")
    source = load_catalog(_written(tmp_path, text), "one").resolve(None).source
    assert source is not None
    assert Path(source.folder) == tmp_path / "weights"


@pytest.mark.parametrize(
    "text,reason",
    [
        ("", "needs a list `models:`"),
        ("models: []", "at least one entry"),
        ("models: [", "cannot be read"),
        ("models: [{revision: '1'}]", "model number 1: name: Field required"),
        (HASHING.replace("dimension: 4", "dimension: 0"), "model 'a/one': dimension: Input should"),
        (HASHING.replace("hashing", "onnx"), "model 'a/one': backend: Input should be"),
        (HASHING.replace("hashing", "torch"), "backend torch needs source and sha256"),
        (HASHING.replace(", backend: hashing", ""), "backend auto needs source and sha256"),
        (
            HASHING.replace("backend:", "matryoshka: [2, 5], backend:"),
            "model 'a/one': Value error, matryoshka: 5 is not from 1 to 4",
        ),
        (HASHING.replace("backend:", "matryoshka: [0], backend:"), "matryoshka: 0 is not from"),
        (HASHING.replace("backend:", "batch_texts: 0, backend:"), "batch_texts: Input should"),
        (
            HASHING.replace("backend:", "source: {package: a, hub: b/c}, backend:"),
            "takes a package or a hub repository, not both",
        ),
        (HASHING.replace("backend:", "source: {hub: ../x}, backend:"), "source.hub: String should"),
        (HASHING.replace("dimension", "dimensions"), "model 'a/one': dimension"),
        (
            HASHING.replace("backend:", "source: {}, backend:"),
            "needs a package, a hub repository, or a folder",
        ),
        (HASHING + HASHING.partition("models:")[2], "model 'a/one': the name 'a/one' is taken"),
        (HASHING.replace("one]", "a/one]"), "the name 'a/one' is taken twice"),
        (HASHING.replace("one", "two"), "the default model 'one' is not among a/two"),
    ],
)
def test_a_bad_catalog_is_refused_in_one_line(tmp_path: Path, text: str, reason: str) -> None:
    path = _written(tmp_path, text)
    with pytest.raises(CatalogError) as no:
        load_catalog(path, "one")
    assert reason in no.value.message
    assert no.value.message.startswith(f"{path}: ")
    assert "\n" not in no.value.message


def test_a_missing_catalog_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=r"nowhere\.yaml: cannot be read"):
        load_catalog(tmp_path / "nowhere.yaml", "one")


@pytest.mark.parametrize("module", ["catalog", "encoder", "lanes", "pool", "loading", "weights"])
def test_importing_it_does_not_import_torch(module: str) -> None:
    heavy = "torch", "sentence_transformers", "transformers", "tokenizers", "openvino"
    program = f"import sys, embedding.{module}; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_model_reads_texts_unless_the_catalog_says_otherwise() -> None:
    assert not hashing_entry().reads_images
    assert hashing_entry(kind="clip").reads_images
    with pytest.raises(ValidationError, match="kind"):
        hashing_entry(kind="siglip")


def test_what_a_model_reads_changes_no_space() -> None:
    """Vectors of texts that are stored stay what they are."""
    assert hashing_entry(kind="clip").fingerprint == hashing_entry().fingerprint
