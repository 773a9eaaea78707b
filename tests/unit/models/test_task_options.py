"""From what a client chose to how texts are encoded: one rule an option."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from models.documents import ChunkOptions
from models.encoding import DOCUMENT, QUERY, EncodeOptions, Truncate
from models.errors import InvalidRequest
from models.task_options import (
    document_facts,
    encode_options,
    input_type_of,
    kept_dimensions,
    task_options,
)
from models.tasks import TaskRequest
from models.units import DocumentFacts
from models.vectors import Passport
from tests.unit.models.making import request

PROMPTS = {DOCUMENT: "passage: ", QUERY: "query: ", "clustering": "cluster: "}


@dataclass(frozen=True)
class FakeModel:
    """A model of eight dimensions that is trained for four and two."""

    name: str = "tiny"
    dimension: int = 8
    max_tokens: int = 64
    matryoshka: tuple[int, ...] = (4, 2)
    normalize: bool = True
    prompts: dict[str, str] = field(default_factory=lambda: PROMPTS)

    def prompt_of(self, input_type: str) -> str:
        try:
            return self.prompts[input_type]
        except KeyError:
            raise InvalidRequest(
                field="input_type",
                reason=f"unknown; known: {', '.join(self.prompts)}",
                given=input_type,
                allowed=tuple(self.prompts),
            ) from None

    def passport_of(self, options: EncodeOptions) -> Passport:
        return Passport(
            model=self.name,
            revision="1",
            files_hash="",
            dimension=options.dimensions or self.dimension,
            normalized=options.normalize,
            prompt=options.prompt,
            fingerprint=repr(options),
        )


MODEL = FakeModel()


def resolved(**chosen: Any) -> EncodeOptions:
    return task_options(request(**chosen), MODEL)


@pytest.mark.parametrize(
    "chosen, prompt",
    [
        ({}, "passage: "),
        ({"input_type": "document"}, "passage: "),
        ({"input_type": "query"}, "query: "),
        ({"input_type": "clustering"}, "cluster: "),
        ({"prompt": "title: "}, "title: "),
        ({"prompt": ""}, ""),
    ],
)
def test_the_tasks_own_prompt_goes_before_its_input_types(
    chosen: dict[str, Any], prompt: str
) -> None:
    assert resolved(**chosen).prompt == prompt


@pytest.mark.parametrize("wanted, kept", [(None, None), (8, None), (4, 4), (2, 2)])
def test_the_models_own_size_is_no_cut(wanted: int | None, kept: int | None) -> None:
    assert resolved(dimensions=wanted).dimensions == kept
    assert kept_dimensions(wanted, MODEL) == kept


@pytest.mark.parametrize("wanted", [1, 3, 9, 1_000_000])
def test_dimensions_that_the_model_is_not_trained_for_are_refused_with_those_it_is(
    wanted: int,
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        resolved(dimensions=wanted)
    refusal = caught.value
    assert (refusal.field, refusal.given, refusal.allowed) == ("dimensions", wanted, (2, 4, 8))
    assert refusal.reason == f"model tiny is not trained for {wanted}; allowed: 2, 4, 8"


def test_a_model_without_fewer_dimensions_allows_its_own_alone() -> None:
    with pytest.raises(InvalidRequest) as caught:
        kept_dimensions(4, FakeModel(matryoshka=()))
    assert caught.value.allowed == (8,)


def test_an_input_type_that_the_model_does_not_know_is_refused_with_those_it_knows() -> None:
    with pytest.raises(InvalidRequest) as caught:
        resolved(input_type="poem")
    assert (caught.value.field, caught.value.given) == ("input_type", "poem")
    assert caught.value.allowed == (DOCUMENT, QUERY, "clustering")


@pytest.mark.parametrize("models_own", [True, False])
@pytest.mark.parametrize("chosen", [None, True, False])
def test_vectors_are_scaled_as_the_task_says_or_else_as_the_model_does(
    models_own: bool, chosen: bool | None
) -> None:
    options = encode_options(FakeModel(normalize=models_own), normalize=chosen)
    assert options.normalize is (models_own if chosen is None else chosen)


@pytest.mark.parametrize("truncate", Truncate)
def test_how_a_long_text_is_cut_is_taken_over(truncate: Truncate) -> None:
    assert resolved(truncate=truncate).truncate is truncate


def test_nothing_chosen_is_the_models_own_way_with_a_documents_prompt() -> None:
    assert resolved() == EncodeOptions(prompt="passage: ")


@pytest.mark.parametrize(
    "chosen, shown",
    [({}, DOCUMENT), ({"input_type": "query"}, QUERY), ({"prompt": "p"}, ""), ({"prompt": ""}, "")],
)
def test_a_task_that_gave_its_prompt_has_no_input_type(chosen: dict[str, Any], shown: str) -> None:
    assert input_type_of(request(**chosen)) == shown


def facts_of(defaults: ChunkOptions | None = None, **changes: Any) -> DocumentFacts | None:
    asked = TaskRequest.model_validate(
        {"task_type": "document_vectorization", "data": "YQ=="} | changes
    )
    options = task_options(asked, MODEL)
    return document_facts(asked, MODEL, options, defaults or ChunkOptions(tokens=256, overlap=32))


def chunks_of(defaults: ChunkOptions | None = None, **changes: Any) -> tuple[int, int]:
    found = facts_of(defaults, **changes)
    assert found is not None
    return found.chunks.tokens, found.chunks.overlap


@pytest.mark.parametrize(
    "chosen,found",
    [
        ({}, (64, 16)),
        ({"chunk_tokens": 40}, (40, 10)),
        ({"chunk_tokens": 64, "chunk_overlap": 32}, (64, 32)),
        ({"chunk_overlap": 0}, (64, 0)),
    ],
)
def test_chunks_are_as_the_task_says_and_never_longer_than_the_model_takes(
    chosen: dict[str, int], found: tuple[int, int]
) -> None:
    assert chunks_of(**chosen) == found


def test_the_services_chunks_are_taken_where_the_model_takes_more() -> None:
    assert chunks_of(ChunkOptions(tokens=32, overlap=5)) == (32, 5)


@pytest.mark.parametrize(
    "chosen,field,told",
    [
        ({"chunk_tokens": 65}, "chunk_tokens", "model tiny takes at most 64 tokens"),
        ({"chunk_tokens": 40, "chunk_overlap": 21}, "chunk_overlap", "at most half"),
        ({"chunk_overlap": 33}, "chunk_overlap", "64 tokens"),
    ],
)
def test_chunks_that_cannot_be_are_refused_by_name(
    chosen: dict[str, int], field: str, told: str
) -> None:
    with pytest.raises(InvalidRequest, match=told) as caught:
        facts_of(**chosen)
    assert (caught.value.field, caught.value.given) == (field, chosen[field])


def test_the_prompt_before_each_chunk_is_known_to_who_cuts() -> None:
    found = facts_of(prompt="p: ", document_id="d", filename="f", batch_size=3)
    assert found is not None
    assert found.chunks.prompt == "p: "
    assert (found.document_id, found.filename, found.batch_size) == ("d", "f", 3)


def test_texts_have_no_document() -> None:
    asked = request("a")
    options = task_options(asked, MODEL)
    assert document_facts(asked, MODEL, options, ChunkOptions(tokens=8)) is None
