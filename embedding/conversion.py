"""Models in OpenVINO's own format: made once by a child process, kept in a cache folder.

The serving process reads what is kept and imports neither torch nor transformers. A kept model
is named by all that went into it, so another file or version makes another.
"""

import hashlib
import json
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import structlog
from pydantic import BaseModel, ConfigDict, Field

from embedding.catalog import ModelEntry
from embedding.parity import BackendRefused
from embedding.weights import BadWeights, config_hash
from models.vectors import Vector

log = structlog.get_logger(__name__)

#: Raise it when the child makes something else of the same files.
FORMAT = 1
#: Packages that decide what comes out.
MAKERS = ("openvino", "torch", "transformers", "sentence-transformers", "tokenizers")
KEY_CHARS = 32
#: Unfinished work older than this was left by a process that was killed.
ABANDONED_S = 6 * 3600.0
#: What the child's exit means: the files do not fit the catalog.
EXIT_BAD_WEIGHTS = 3
ROOT = Path(__file__).resolve().parent.parent


class Manifest(BaseModel):
    """What must be known beside the files."""

    model_config = ConfigDict(frozen=True)

    pad_id: int
    max_tokens: int
    versions: dict[str, str]
    sizes: dict[str, int] = Field(description="Bytes of each file beside this one.")


@dataclass(frozen=True, slots=True)
class Converted:
    """A folder with a converted model, its tokenizer and its reference vectors."""

    folder: Path

    @property
    def network(self) -> Path:
        """The model; its weights lie beside it."""
        return self.folder / "model.xml"

    @property
    def tokenizer(self) -> Path:
        """A tokenizer.json."""
        return self.folder / "tokenizer.json"

    @property
    def reference(self) -> Path:
        """What sentence-transformers makes of the reference texts, `(n, dim) float32`."""
        return self.folder / "reference.npy"

    @property
    def manifest(self) -> Path:
        """A Manifest as JSON."""
        return self.folder / "manifest.json"

    def is_whole(self) -> bool:
        """Whether every file is there in its size; one that a full disk cut off is not."""
        try:
            return self.sizes() == self.read_manifest().sizes
        except (OSError, ValueError):
            return False

    def sizes(self) -> dict[str, int]:
        """Bytes of each file but the manifest."""
        files = (path for path in self.folder.iterdir() if path != self.manifest)
        return {path.name: path.stat().st_size for path in files}

    def read_manifest(self) -> Manifest:
        """The facts beside the files."""
        return Manifest.model_validate_json(self.manifest.read_text(encoding="utf-8"))

    def read_reference(self) -> Vector:
        """The vectors that the model must give, `(n, dim) float32`."""
        found: Vector = np.load(self.reference, allow_pickle=False)
        return found


def converted(entry: ModelEntry, folder: Path, *, cache_dir: Path, timeout_s: float) -> Converted:
    """The converted model of the checked `folder`, from `cache_dir` or made now (seconds).

    Raises BadWeights where the files do not fit the catalog, BackendRefused where the model
    cannot be converted, within `timeout_s` or at all.
    """
    kept = Converted(cache_dir / conversion_key(entry, folder))
    if not kept.is_whole():
        cache_dir.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(kept.folder, ignore_errors=True)
        _remove_abandoned(cache_dir)
        _make(entry, folder, kept.folder, timeout_s)
    return kept


def conversion_key(entry: ModelEntry, folder: Path) -> str:
    """Hex characters that change with anything that changes the converted model."""
    facts = {
        "format": FORMAT,
        "weights": entry.sha256,
        "config": config_hash(folder),
        "max_tokens": entry.max_tokens,
        "versions": maker_versions(),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:KEY_CHARS]


def maker_versions() -> dict[str, str]:
    """The versions of the packages that make a converted model; imports none of them."""
    return {name: version(name) for name in MAKERS}


def _make(entry: ModelEntry, folder: Path, kept: Path, timeout_s: float) -> None:
    """Convert into a folder of its own, then name it: nobody sees a half-made model."""
    begun_s = time.monotonic()
    unfinished = Path(mkdtemp(prefix=f"{kept.name}.", dir=kept.parent))
    try:
        _run_child(entry, folder, unfinished, timeout_s)
        _name(unfinished, kept)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    log.info("model_converted", model=entry.name, seconds=time.monotonic() - begun_s)


def _run_child(entry: ModelEntry, folder: Path, target: Path, timeout_s: float) -> None:
    """Convert in a process of its own: its memory, and torch's threads, end with it."""
    command = [
        sys.executable,
        "-m",
        "embedding.convert",
        str(folder.resolve()),
        str(target.resolve()),
    ]
    try:
        done = subprocess.run(  # noqa: S603  (our own interpreter and module)
            command,
            input=entry.model_dump_json(),
            cwd=ROOT,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BackendRefused(f"the conversion took longer than {timeout_s:g} s") from error
    if done.returncode == EXIT_BAD_WEIGHTS:
        raise BadWeights(_last_line(done.stderr))
    if done.returncode:
        raise BackendRefused(
            f"the conversion failed ({done.returncode}): {_last_line(done.stderr)}"
        )


def _last_line(output: str) -> str:
    """The last line that says something; a traceback ends with its error."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"


def _name(unfinished: Path, kept: Path) -> None:
    """Put the finished folder in its place, unless another process was faster."""
    try:
        unfinished.rename(kept)
    except OSError:
        if not kept.is_dir():
            raise


def _remove_abandoned(cache_dir: Path) -> None:
    """Remove what processes that were killed left unfinished."""
    for path in cache_dir.glob("*.*"):
        if path.is_dir() and time.time() - path.stat().st_mtime > ABANDONED_S:
            shutil.rmtree(path, ignore_errors=True)
