"""A model's files: found without importing anything, and the ones the catalog means."""

import hashlib
from pathlib import Path

import pytest

from embedding.catalog import Catalog, ModelEntry
from embedding.weights import BadWeights, checked_folder, config_hash, main, weights_hash


def _entry(folder: Path, sha256: str) -> ModelEntry:
    return ModelEntry.model_validate(
        {
            "name": "test/disk",
            "revision": "1",
            "dimension": 4,
            "max_tokens": 8,
            "backend": "torch",
            "sha256": sha256,
            "source": {"folder": str(folder)},
        }
    )


def test_the_real_models_files_are_found_and_are_the_right_ones(catalog: Catalog) -> None:
    folder = checked_folder(catalog.resolve("all-MiniLM-L6-v2"))
    assert (folder / "model.safetensors").is_file()


def test_one_file_has_its_own_hash_and_several_are_taken_in_order(tmp_path: Path) -> None:
    (tmp_path / "b.safetensors").write_bytes(b"two")
    (tmp_path / "a.safetensors").write_bytes(b"one")
    (tmp_path / "config.json").write_bytes(b"no weights")
    assert weights_hash(tmp_path) == hashlib.sha256(b"onetwo").hexdigest()


def test_changed_weights_are_refused_with_both_hashes(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"tampered")
    with pytest.raises(
        BadWeights, match=f"is {weights_hash(tmp_path)}, the catalog says {'0' * 64}"
    ):
        checked_folder(_entry(tmp_path, "0" * 64))


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    (tmp_path / "2_Dense").mkdir()
    (tmp_path / "2_Dense" / "pytorch_model.bin").write_bytes(b"code")
    with pytest.raises(BadWeights, match=r"only safetensors are read, not .*pytorch_model\.bin"):
        checked_folder(_entry(tmp_path, weights_hash(tmp_path)))


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadWeights, match=r"no folder .*nowhere"):
        checked_folder(_entry(tmp_path / "nowhere", "0" * 64))


@pytest.mark.parametrize("package", ["not_installed_anywhere", "no_parent.at_all", "json.decoder"])
def test_a_package_that_holds_no_model_is_named(package: str, tmp_path: Path) -> None:
    plain = _entry(tmp_path, "0" * 64).model_dump()
    entry = ModelEntry.model_validate({**plain, "source": {"package": package}})
    with pytest.raises(BadWeights, match=package):
        checked_folder(entry)


def test_a_model_without_a_source_is_told_so() -> None:
    entry = _entry(Path(), "0" * 64).model_copy(update={"source": None})
    with pytest.raises(BadWeights, match="names no source"):
        checked_folder(entry)


def test_an_altered_tokenizer_is_refused_where_the_catalog_names_its_hash(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    entry = _entry(tmp_path, weights_hash(tmp_path))
    checked = entry.model_copy(update={"config_sha256": config_hash(tmp_path)})
    assert checked_folder(checked) == tmp_path
    (tmp_path / "tokenizer.json").write_text("{ }")
    assert checked_folder(entry) == tmp_path
    with pytest.raises(BadWeights, match=r"configuration and tokenizer in .*, the catalog says"):
        checked_folder(checked)


@pytest.mark.parametrize(
    "name,other",
    [("config.json", True), ("vocab.txt", True), ("sub/spiece.model", True), ("README.md", False)],
)
def test_the_configuration_is_what_decides_how_the_model_reads(
    tmp_path: Path, name: str, other: bool
) -> None:
    before = config_hash(tmp_path)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("x")
    assert (config_hash(tmp_path) != before) is other


def test_a_renamed_file_is_another_configuration(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("x")
    before = config_hash(tmp_path)
    (tmp_path / "a.json").rename(tmp_path / "b.json")
    assert config_hash(tmp_path) != before


COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's local cache, with one repository at one commit, which the branch `main` names."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / "models--org--small"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    snapshot = repository / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (snapshot / "model.safetensors").write_bytes(b"weights")
    return snapshot


def _hub_entry(revision: str, name: str = "org/small") -> ModelEntry:
    plain = _entry(Path(), hashlib.sha256(b"weights").hexdigest()).model_dump()
    source = {"hub": name}
    return ModelEntry.model_validate({**plain, "revision": revision, "source": source})


@pytest.mark.parametrize("revision", [COMMIT, "main"])
def test_a_model_is_found_in_the_hubs_local_cache(hub_cache: Path, revision: str) -> None:
    assert checked_folder(_hub_entry(revision)) == hub_cache


@pytest.mark.parametrize("revision,name", [("f" * 40, "org/small"), ("main", "org/other")])
def test_what_the_local_cache_lacks_is_not_fetched_but_named(
    hub_cache: Path, revision: str, name: str
) -> None:
    with pytest.raises(BadWeights, match=f"{name} at revision {revision} is not in the hub's"):
        checked_folder(_hub_entry(revision, name))


def test_the_command_prints_what_the_catalog_wants(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"one")
    (tmp_path / "config.json").write_bytes(b"{}")
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().out == (
        f"sha256: {weights_hash(tmp_path)}\nconfig_sha256: {config_hash(tmp_path)}\n"
    )


@pytest.mark.parametrize("given", ["nowhere", "--help"])
def test_a_folder_without_weights_has_no_hash(
    given: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([given]) == 2
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", f"{given}: no *.safetensors in it\n")
