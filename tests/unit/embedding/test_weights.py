"""A model's files: found without importing anything, and the ones the catalog means."""

import hashlib
from pathlib import Path

import pytest

from embedding.catalog import Catalog, ModelEntry
from embedding.weights import BadWeights, checked_folder, weights_hash


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
