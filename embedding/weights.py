"""Where a model's files lie, and whether they are the ones the catalog means."""

import hashlib
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from embedding.catalog import ModelEntry, ModelSource
from models.errors import VectorizeError

BLOCK_BYTES = 1 << 20
#: Files that decide what the model reads and how it computes, apart from its weights.
CONFIG_SUFFIXES = frozenset({".bpe", ".jinja", ".json", ".model", ".spm", ".txt"})
#: Weights that can carry code, which is why they are refused.
PICKLED = ("*.bin", "*.pt", "*.pth", "*.pkl", "*.ckpt")


class BadWeights(VectorizeError):
    """The model's files are missing or are not the ones the catalog names."""


def checked_folder(entry: ModelEntry) -> Path:
    """The folder with the entry's files, their hashes checked. Raises BadWeights."""
    if entry.source is None:
        raise BadWeights(f"model {entry.name}: the catalog names no source")
    folder = _locate(entry.source, entry.revision)
    if not folder.is_dir():
        raise BadWeights(f"model {entry.name}: no folder {folder}")
    _refuse_pickles(entry, folder)
    _expect(entry, f"the weights in {folder}", weights_hash(folder), entry.sha256)
    return config_folder(entry)


def config_folder(entry: ModelEntry) -> Path:
    """The folder with the entry's files, checked by `config_sha256`; the weights are not read.

    Raises BadWeights.
    """
    if entry.source is None:
        raise BadWeights(f"model {entry.name}: the catalog names no source")
    folder = _locate(entry.source, entry.revision)
    if entry.config_sha256:
        given = config_hash(folder)
        _expect(entry, f"configuration and tokenizer in {folder}", given, entry.config_sha256)
    return folder


def tokenizer_file(entry: ModelEntry) -> Path | None:
    """The model's tokenizer.json, checked by `config_sha256`; None: it counts words (hashing).

    The weights are neither needed nor read. Raises BadWeights.
    """
    if entry.source is None:
        return None
    folder = config_folder(entry)
    found = sorted(folder.rglob("tokenizer.json"), key=lambda path: len(path.parts))
    if not found:
        raise BadWeights(f"model {entry.name}: no tokenizer.json in {folder}")
    return found[0]


def weights_hash(folder: Path) -> str:
    """sha256 over all *.safetensors below `folder`, in the order of their paths."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.safetensors")):
        for block in _blocks(path):
            digest.update(block)
    return digest.hexdigest()


def config_hash(folder: Path) -> str:
    """sha256 over names and contents of configuration and tokenizer files, in path order."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix in CONFIG_SUFFIXES and path.is_file():
            name = path.relative_to(folder).as_posix()
            digest.update(f"{name}\0{path.stat().st_size}\0".encode())
            for block in _blocks(path):
                digest.update(block)
    return digest.hexdigest()


def _blocks(path: Path) -> Iterator[bytes]:
    """A file's content, block by block."""
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            yield block


def _expect(entry: ModelEntry, what: str, given: str, expected: str) -> None:
    """Raise BadWeights unless the two hashes are one."""
    if given != expected:
        raise BadWeights(
            f"model {entry.name}: sha256 of {what} is {given}, the catalog says {expected}"
        )


def _locate(source: ModelSource, revision: str) -> Path:
    """Find the folder without network and without a package's code. Raises BadWeights."""
    if source.package is not None:
        return _package_folder(source.package) / source.folder
    if source.hub is not None:
        return _snapshot_folder(source.hub, revision) / source.folder
    return Path(source.folder)


def _package_folder(package: str) -> Path:
    """Where a package lies; a top-level one is not imported for it."""
    try:
        spec = find_spec(package)
    except (ImportError, ValueError) as error:
        raise BadWeights(f"package {package} cannot be found: {error}") from error
    if spec is None or not spec.submodule_search_locations:
        raise BadWeights(f"package {package} is not installed")
    return Path(spec.submodule_search_locations[0])


def _snapshot_folder(repository: str, revision: str) -> Path:
    """Where the hub's local cache holds a repository at `revision` (commit, branch or tag)."""
    from huggingface_hub import snapshot_download  # noqa: PLC0415  (only who uses the hub pays)
    from huggingface_hub.errors import LocalEntryNotFoundError  # noqa: PLC0415  (likewise)

    try:
        return Path(snapshot_download(repository, revision=revision, local_files_only=True))
    except LocalEntryNotFoundError as error:
        raise BadWeights(
            f"{repository} at revision {revision} is not in the hub's local cache: fetch it with "
            f"`hf download {repository} --revision {revision}`"
        ) from error


def _refuse_pickles(entry: ModelEntry, folder: Path) -> None:
    """Pickled weights beside safetensors are never read; alone in a folder they would be."""
    for pattern in PICKLED:
        for path in folder.rglob(pattern):
            if not any(path.parent.glob("*.safetensors")):
                raise BadWeights(f"model {entry.name}: only safetensors are read, not {path}")


def main(arguments: Sequence[str]) -> int:
    """Print the hashes of model folders, as the catalog wants them; 2: one is no such folder."""
    for folder in map(Path, arguments):
        if not any(folder.rglob("*.safetensors")):
            print(f"{folder}: no *.safetensors in it", file=sys.stderr)  # noqa: T201  (for a person)
            return 2
        print(f"sha256: {weights_hash(folder)}")  # noqa: T201  (likewise)
        print(f"config_sha256: {config_hash(folder)}")  # noqa: T201  (likewise)
    return 0 if arguments else 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
