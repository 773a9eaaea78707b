"""Where a model's files lie, and whether they are the ones the catalog means."""

import hashlib
from importlib.util import find_spec
from pathlib import Path

from embedding.catalog import ModelEntry, ModelSource
from models.errors import VectorizeError

BLOCK_BYTES = 1 << 20
#: Weights that can carry code, which is why they are refused.
PICKLED = ("*.bin", "*.pt", "*.pth", "*.pkl", "*.ckpt")


class BadWeights(VectorizeError):
    """The model's files are missing or are not the ones the catalog names."""


def checked_folder(entry: ModelEntry) -> Path:
    """The folder with the entry's files, their hash checked. Raises BadWeights."""
    if entry.source is None:
        raise BadWeights(f"model {entry.name}: the catalog names no source")
    folder = _locate(entry.source)
    if not folder.is_dir():
        raise BadWeights(f"model {entry.name}: no folder {folder}")
    _refuse_pickles(entry, folder)
    given = weights_hash(folder)
    if given != entry.sha256:
        raise BadWeights(
            f"model {entry.name}: sha256 of the weights in {folder} is {given}, "
            f"the catalog says {entry.sha256}"
        )
    return folder


def weights_hash(folder: Path) -> str:
    """sha256 over all *.safetensors below `folder`, in the order of their paths."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.safetensors")):
        with path.open("rb") as file:
            while block := file.read(BLOCK_BYTES):
                digest.update(block)
    return digest.hexdigest()


def _locate(source: ModelSource) -> Path:
    """Find the folder without importing a top-level package's code. Raises BadWeights."""
    if source.package is None:
        return Path(source.folder)
    try:
        spec = find_spec(source.package)
    except (ImportError, ValueError) as error:
        raise BadWeights(f"package {source.package} cannot be found: {error}") from error
    if spec is None or not spec.submodule_search_locations:
        raise BadWeights(f"package {source.package} is not installed")
    return Path(spec.submodule_search_locations[0]) / source.folder


def _refuse_pickles(entry: ModelEntry, folder: Path) -> None:
    """Pickled weights beside safetensors are never read; alone in a folder they would be."""
    for pattern in PICKLED:
        for path in folder.rglob(pattern):
            if not any(path.parent.glob("*.safetensors")):
                raise BadWeights(f"model {entry.name}: only safetensors are read, not {path}")
