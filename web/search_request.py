"""What a search asks for: its fields, and what they come to with the model. Pure."""

from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from embedding.catalog import Catalog, ModelEntry
from models.encoding import QUERY, Dimensions, EncodeOptions, InputType, Normalize, Prompt
from models.errors import InvalidRequest
from models.ids import DEFAULT_TENANT
from models.task_options import encode_options, kept_dimensions
from models.vectors import Space
from web.limits import DEFAULT_HITS, WebLimits
from web.queries import at_most
from web.validating import refusal_of, shown

Number = Annotated[float, Field(strict=True)]


#: Keys of a filter; Weaviate ends at some hundred.
MOST_CONDITIONS = 64


class SearchRequest(BaseModel):
    """What is looked for, and where."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    query: str | None = Field(default=None, description="A text; give this or `vector`.")
    vector: list[Number] | None = Field(
        default=None, description="A vector of the model's size, or of `dimensions`."
    )
    limit: Annotated[int, Field(strict=True)] = Field(
        default=DEFAULT_HITS, ge=1, description="How many hits, at most."
    )
    filter: dict[str, JsonValue] = Field(
        default_factory=dict,
        max_length=MOST_CONDITIONS,
        description="Equalities, all of which must hold: `task`, `item`, or a key of the "
        "metadata, with a scalar, or a list of scalars any of which may hold.",
    )
    model_name: str | None = Field(default=None, max_length=256)
    collection: str | None = Field(default=None, pattern=r"^[A-Z][A-Za-z0-9_]{0,127}$")
    dimensions: Dimensions | None = Field(
        default=None, description="Those of the tasks that stored the texts; default: all."
    )
    normalize: Normalize | None = Field(
        default=None, description="As in the tasks that stored the texts; default: the model's."
    )
    input_type: InputType | None = Field(
        default=None,
        description="Which of the model's prompts stands before the query; default: query.",
    )
    prompt: Prompt | None = Field(
        default=None, description="Put before the query instead of the model's prompt."
    )
    stored_input_type: InputType | None = Field(
        default=None,
        description="The input_type of the tasks that stored the texts; default: document.",
    )
    stored_prompt: Prompt | None = Field(
        default=None, description="The prompt of the tasks that stored the texts, if they gave one."
    )

    @model_validator(mode="after")
    def _asks_one_thing(self) -> Self:
        if (self.query is None) == (self.vector is None):
            raise ValueError("query: give either query or vector")
        return self

    @model_validator(mode="after")
    def _has_one_prompt_each(self) -> Self:
        if self.prompt is not None and self.input_type is not None:
            raise ValueError("prompt: give either prompt or input_type")
        if self.stored_prompt is not None and self.stored_input_type is not None:
            raise ValueError("stored_prompt: give either stored_prompt or stored_input_type")
        return self

    @model_validator(mode="after")
    def _prompts_a_text_only(self) -> Self:
        for field in ("prompt", "input_type"):
            if self.vector is not None and getattr(self, field) is not None:
                raise ValueError(f"{field}: stands before a text; a vector takes none")
        return self


@dataclass(frozen=True, slots=True)
class Search:
    """A search that can be done."""

    wanted: SearchRequest
    entry: ModelEntry
    query: EncodeOptions
    """How the query's text becomes a vector."""
    stored: EncodeOptions
    """How the stored texts became theirs."""

    @property
    def collection(self) -> str:
        """Where it looks."""
        return self.wanted.collection or self.entry.collection

    @property
    def space(self) -> Space:
        """The vectors it looks among."""
        fingerprint = self.entry.passport_of(self.stored).fingerprint
        return Space(tenant=DEFAULT_TENANT, collection=self.collection, fingerprint=fingerprint)


def read_search(raw: object, catalog: Catalog, limits: WebLimits) -> Search:
    """Check a parsed body; raise InvalidRequest, UnknownModel or LimitExceeded."""
    if not isinstance(raw, dict):
        raise InvalidRequest(field="body", reason="a search is a JSON object", given=shown(raw))
    name = raw.get("model_name")
    entry = catalog.resolve(name if isinstance(name, str) else None)
    _check_size(raw, entry)
    if unknown := sorted(raw.keys() - SearchRequest.model_fields.keys()):
        known = ", ".join(SearchRequest.model_fields)
        raise InvalidRequest(field=unknown[0][:100], reason=f"unknown; there are: {known}")
    try:
        wanted = SearchRequest.model_validate(raw)
    except ValidationError as error:
        raise refusal_of(error, raw) from error
    at_most(
        wanted.limit,
        limits.max_search_limit,
        field="limit",
        what="the number of hits",
        setting="task.max_search_limit",
    )
    return _resolved(wanted, entry)


def _check_size(raw: dict[str, object], entry: ModelEntry) -> None:
    """Before pydantic, which would look at each of a million numbers first."""
    vector, wanted = raw.get("vector"), raw.get("dimensions")
    if not isinstance(vector, list):
        return
    # A bool is an int, and is refused by its type later.
    kept = kept_dimensions(wanted, entry) if type(wanted) is int else None
    size = kept or entry.dimension
    if len(vector) != size:
        reason = f"model {entry.name} has {size} dimensions"
        if kept is not None:
            reason = f"`dimensions` asks for {size}"
        raise InvalidRequest(field="vector", reason=reason, given=len(vector))


def _resolved(wanted: SearchRequest, entry: ModelEntry) -> Search:
    query = encode_options(
        entry,
        dimensions=wanted.dimensions,
        normalize=wanted.normalize,
        input_type=wanted.input_type or QUERY,
        prompt=wanted.prompt,
    )
    try:
        stored = encode_options(
            entry,
            dimensions=wanted.dimensions,
            normalize=wanted.normalize,
            input_type=wanted.stored_input_type,
            prompt=wanted.stored_prompt,
        )
    except InvalidRequest as error:
        raise InvalidRequest(
            field="stored_input_type",
            reason=error.reason,
            given=error.given,
            allowed=error.allowed,
        ) from error
    return Search(wanted, entry, query, stored)
