"""The models this service allows, read from a YAML file; knows no backend, so a master may."""

import hashlib
import json
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from models.errors import UnknownModel, VectorizeError
from models.vectors import Passport

FINGERPRINT_CHARS = 12


class CatalogError(VectorizeError):
    """The catalog of models cannot be used."""

    def __init__(self, path: Path, reason: str) -> None:
        """Say in one line what is wrong with the file at `path`."""
        super().__init__(f"{path}: {' '.join(reason.split())}")
        self.path = path


class ModelSource(BaseModel):
    """Where a model's files lie: inside an installed package, or in a folder on disk."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    package: str | None = Field(default=None, description="Import name of a package, or none.")
    folder: str = Field(
        default=".", description="Folder in the package; without one, a path on disk."
    )

    @model_validator(mode="after")
    def _names_a_place(self) -> Self:
        if self.package is None and "folder" not in self.model_fields_set:
            raise ValueError("needs a package, a folder, or both")
        return self


class ModelEntry(BaseModel):
    """One allowed model: what it is called, where it lies, what comes out of it."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$", max_length=200)
    aliases: tuple[str, ...] = Field(default=(), description="Other names a client may use.")
    source: ModelSource | None = Field(default=None, description="None: needs no files.")
    revision: str = Field(min_length=1, description="Commit or version of the model's files.")
    sha256: str = Field(
        default="",
        pattern=r"^([0-9a-f]{64})?$",
        description="sha256 of the weights: all *.safetensors, in the order of their paths.",
    )
    dimension: int = Field(ge=1, le=65_535)
    max_tokens: int = Field(ge=3, description="Longest input in tokens, special ones included.")
    backend: Literal["torch", "hashing"]
    normalize: bool = Field(default=True, description="Whether vectors have length 1.")
    prompts: dict[str, str] = Field(
        default_factory=dict, description="Text put before an input; `document` is for storing."
    )

    @model_validator(mode="after")
    def _has_what_its_backend_needs(self) -> Self:
        if self.backend == "torch" and (self.source is None or not self.sha256):
            raise ValueError("backend torch needs source and sha256")
        return self

    @property
    def prompt(self) -> str:
        """What stands before each text that is stored; mostly empty."""
        return self.prompts.get("document", "")

    @property
    def fingerprint(self) -> str:
        """12 hex characters that change with anything that changes what a vector means."""
        return self.passport.fingerprint

    @cached_property
    def passport(self) -> Passport:
        """What is stored beside each vector of this model."""
        facts: dict[str, str | int | bool] = {
            "model": self.name,
            "revision": self.revision,
            "files_hash": self.sha256,
            "dimension": self.dimension,
            "normalized": self.normalize,
            "prompt": self.prompt,
        }
        return Passport.model_validate({**facts, "fingerprint": _short_hash(facts)})

    @property
    def collection(self) -> str:
        """Default Weaviate collection: the last part of the name in CamelCase."""
        words = re.split(r"[^A-Za-z0-9]+", self.name.rstrip("/").rpartition("/")[2])
        joined = "".join(word[:1].upper() + word[1:] for word in words)
        return joined if joined[:1].isalpha() else f"Model{joined}"


def _short_hash(facts: dict[str, str | int | bool]) -> str:
    """Hash `facts` written as JSON with sorted keys and no blanks."""
    canonical = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:FINGERPRINT_CHARS]


class Catalog:
    """The allowed models and the one used where a task names none."""

    def __init__(self, entries: Sequence[ModelEntry], default: str) -> None:
        """Index `entries` by name and alias; ValueError for a name taken twice or no default."""
        self._names = tuple(entry.name for entry in entries)
        self._by_name: dict[str, ModelEntry] = {}
        for entry in entries:
            self._add(entry)
        if default not in self._by_name:
            raise ValueError(f"the default model {default!r} is not among {', '.join(self._names)}")
        self._default = self._by_name[default]

    def _add(self, entry: ModelEntry) -> None:
        for name in (entry.name, *entry.aliases):
            if name in self._by_name:
                raise ValueError(f"model {entry.name!r}: the name {name!r} is taken twice")
            self._by_name[name] = entry

    def resolve(self, name: str | None) -> ModelEntry:
        """Find a model by name or alias; None is the default. Raises UnknownModel."""
        if name is None:
            return self._default
        try:
            return self._by_name[name]
        except KeyError:
            raise UnknownModel(given=name, allowed=self._names) from None

    def names(self) -> tuple[str, ...]:
        """Every model's own name, in the file's order."""
        return self._names


def load_catalog(path: Path, default: str) -> Catalog:
    """Read the catalog at `path`; `default` is a name or alias in it. Raises CatalogError."""
    try:
        return Catalog([_entry(raw, path, at) for at, raw in enumerate(_rows(path))], default)
    except ValueError as error:
        raise CatalogError(path, str(error)) from error


def _rows(path: Path) -> list[object]:
    """The raw entries below `models:`."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CatalogError(path, f"cannot be read: {error}") from error
    rows = document.get("models") if isinstance(document, dict) else None
    if not isinstance(rows, list) or not rows:
        raise CatalogError(path, "needs a list `models:` with at least one entry")
    return rows


def _entry(raw: object, path: Path, at: int) -> ModelEntry:
    """Check one raw entry; a folder on disk is relative to the catalog's own."""
    try:
        entry = ModelEntry.model_validate(raw)
    except ValidationError as error:
        raise CatalogError(path, f"model {_label(raw, at)}: {_first_fault(error)}") from error
    if entry.source is None or entry.source.package is not None:
        return entry
    folder = str(path.parent.resolve() / Path(entry.source.folder).expanduser())
    return entry.model_copy(update={"source": ModelSource(folder=folder)})


def _label(raw: object, at: int) -> str:
    """The entry's name, or its place in the list where it has none."""
    name = raw.get("name") if isinstance(raw, dict) else None
    return repr(name) if name else f"number {at + 1}"


def _first_fault(error: ValidationError) -> str:
    """The first of pydantic's complaints: field and reason."""
    fault = error.errors(include_url=False, include_context=False)[0]
    place = ".".join(str(part) for part in fault["loc"])
    return f"{place}: {fault['msg']}" if place else fault["msg"]
