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

from models.encoding import EncodeOptions
from models.errors import InvalidRequest, UnknownModel, VectorizeError
from models.vectors import Passport

FINGERPRINT_CHARS = 12
#: Purposes of an input that every model knows, with an empty prompt unless it lists one.
INPUT_TYPES = ("document", "query")
#: A repository of the hub: `org/name`, or `name` alone.
HUB_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?$"

Backend = Literal["auto", "torch", "openvino", "hashing"]
Kind = Literal["text", "clip"]


class CatalogError(VectorizeError):
    """The catalog of models cannot be used."""

    def __init__(self, path: Path, reason: str) -> None:
        """Say in one line what is wrong with the file at `path`."""
        super().__init__(f"{path}: {' '.join(reason.split())}")
        self.path = path


class ModelSource(BaseModel):
    """Where a model's files lie: in an installed package, the hub's local cache, or a folder."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    package: str | None = Field(default=None, description="Import name of a package, or none.")
    hub: str | None = Field(
        default=None,
        pattern=HUB_NAME,
        description="Repository on huggingface.co, read from the local cache alone; or none.",
    )
    folder: str = Field(
        default=".", description="Folder in the package or repository; else a path on disk."
    )

    @model_validator(mode="after")
    def _names_one_place(self) -> Self:
        if self.package is not None and self.hub is not None:
            raise ValueError("takes a package or a hub repository, not both")
        if self.on_disk and "folder" not in self.model_fields_set:
            raise ValueError("needs a package, a hub repository, or a folder")
        return self

    @property
    def on_disk(self) -> bool:
        """Whether `folder` is a path on disk."""
        return self.package is None and self.hub is None


class ModelEntry(BaseModel):
    """One allowed model: what it is called, where it lies, what comes out of it."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$", max_length=200)
    aliases: tuple[str, ...] = Field(default=(), description="Other names a client may use.")
    kind: Kind = Field(
        default="text",
        description="What it reads: texts; or (clip) texts and images, into one space.",
    )
    source: ModelSource | None = Field(default=None, description="None: needs no files.")
    revision: str = Field(min_length=1, description="Commit or version of the model's files.")
    sha256: str = Field(
        default="",
        pattern=r"^([0-9a-f]{64})?$",
        description="sha256 of the weights: all *.safetensors, in the order of their paths.",
    )
    config_sha256: str = Field(
        default="",
        pattern=r"^([0-9a-f]{64})?$",
        description="sha256 of configuration and tokenizer; empty: not checked.",
    )
    dimension: int = Field(ge=1, le=65_535)
    matryoshka: tuple[int, ...] = Field(
        default=(), description="Fewer `dimensions` a task may ask for; empty: none."
    )
    max_tokens: int = Field(ge=3, description="Longest text in tokens, special ones included.")
    backend: Backend = Field(default="auto", description="What runs it; auto: the fastest here.")
    normalize: bool = Field(default=True, description="Whether vectors have length 1.")
    prompts: dict[str, str] = Field(
        default_factory=dict, description="Text put before an input, by its `input_type`."
    )
    batch_texts: int | None = Field(
        default=None, ge=1, description="Most texts in one call; None: the service's limit."
    )
    batch_tokens: int | None = Field(
        default=None, ge=1, description="Most tokens in one call, padding included; None likewise."
    )

    cache: bool = Field(
        default=True, description="Whether computed vectors are kept, if the service keeps any."
    )

    @model_validator(mode="after")
    def _has_files_unless_hashing(self) -> Self:
        if self.backend != "hashing" and (self.source is None or not self.sha256):
            raise ValueError(f"backend {self.backend} needs source and sha256")
        return self

    @model_validator(mode="after")
    def _cuts_to_fewer_dimensions(self) -> Self:
        for dimensions in self.matryoshka:
            if not 1 <= dimensions <= self.dimension:
                raise ValueError(f"matryoshka: {dimensions} is not from 1 to {self.dimension}")
        return self

    @property
    def reads_images(self) -> bool:
        """Whether it takes images beside texts."""
        return self.kind == "clip"

    @property
    def prompt(self) -> str:
        """What stands before each text that is stored; mostly empty."""
        return self.prompt_of("document")

    @property
    def fingerprint(self) -> str:
        """12 hex characters that change with anything that changes what a vector means."""
        return self.passport.fingerprint

    @cached_property
    def passport(self) -> Passport:
        """What is stored beside each vector of this model where a task asks for nothing else.

        Of texts and of images: those of one model lie in one space.
        """
        return self.passport_of(self.default_options())

    def default_options(self) -> EncodeOptions:
        """How a text is encoded where its task asks for nothing else."""
        return EncodeOptions(prompt=self.prompt, normalize=self.normalize)

    def passport_of(self, options: EncodeOptions) -> Passport:
        """What is stored beside each vector made with `options`.

        Vectors that must not be compared (other dimensions, length or prompt) get another
        fingerprint; how a long text was cut does not make another space.
        """
        facts: dict[str, str | int | bool] = {
            "model": self.name,
            "revision": self.revision,
            "files_hash": self.sha256,
            "dimension": options.dimensions or self.dimension,
            "normalized": options.normalize,
            "prompt": options.prompt,
        }
        return Passport.model_validate({**facts, "fingerprint": _short_hash(facts)})

    def prompt_of(self, input_type: str) -> str:
        """What stands before an input of this type. Raises InvalidRequest, listing known types."""
        if input_type in self.prompts:
            return self.prompts[input_type]
        if input_type in INPUT_TYPES:
            return ""
        known = ", ".join(self.input_types)
        raise InvalidRequest(
            field="input_type",
            reason=f"model {self.name} knows no input type {input_type!r}; known: {known}",
            given=input_type,
            allowed=self.input_types,
        )

    @property
    def input_types(self) -> tuple[str, ...]:
        """The input types a task may name."""
        more = (name for name in self.prompts if name not in INPUT_TYPES)
        return (*INPUT_TYPES, *more)

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
        raise CatalogError(path, f"model {_label(raw, at)}: {first_fault(error)}") from error
    if entry.source is None or not entry.source.on_disk:
        return entry
    folder = str(path.parent.resolve() / Path(entry.source.folder).expanduser())
    return entry.model_copy(update={"source": ModelSource(folder=folder)})


def _label(raw: object, at: int) -> str:
    """The entry's name, or its place in the list where it has none."""
    name = raw.get("name") if isinstance(raw, dict) else None
    return repr(name) if name else f"number {at + 1}"


def first_fault(error: ValidationError) -> str:
    """The first of pydantic's complaints: field and reason."""
    fault = error.errors(include_url=False, include_context=False)[0]
    place = ".".join(str(part) for part in fault["loc"])
    return f"{place}: {fault['msg']}" if place else fault["msg"]
