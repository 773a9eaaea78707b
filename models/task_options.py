"""From what a client chose to how texts are encoded, checked against the model. Pure."""

from itertools import repeat
from typing import Protocol

from models.documents import ChunkOptions
from models.encoding import DOCUMENT, EncodeOptions, Truncate
from models.errors import InvalidRequest
from models.file_sources import file_source, image_sources
from models.tasks import TaskRequest
from models.units import DocumentFacts, ImageFacts
from models.vectors import Passport


class EncodingModel(Protocol):
    """What must be known of a model to encode for it."""

    @property
    def name(self) -> str:
        """The catalog's own name of it."""

    @property
    def dimension(self) -> int:
        """Numbers of a whole vector."""

    @property
    def max_tokens(self) -> int:
        """Most tokens of a text."""

    @property
    def reads_images(self) -> bool:
        """Whether it takes images beside texts."""

    @property
    def matryoshka(self) -> tuple[int, ...]:
        """Fewer dimensions that it is trained for."""

    @property
    def normalize(self) -> bool:
        """Whether its vectors are scaled to length 1 unless a client chose."""

    def prompt_of(self, input_type: str) -> str:
        """What stands before an input of this type; raise InvalidRequest for an unknown one."""

    def passport_of(self, options: EncodeOptions) -> Passport:
        """What is stored beside each vector made so; its fingerprint names the space."""


def task_options(request: TaskRequest, model: EncodingModel) -> EncodeOptions:
    """How the texts of a task are encoded.

    Raises InvalidRequest for an option that the model does not have.
    """
    return encode_options(
        model,
        dimensions=request.dimensions,
        normalize=request.normalize,
        input_type=request.input_type,
        prompt=request.prompt,
        truncate=request.truncate,
    )


def document_facts(
    request: TaskRequest, model: EncodingModel, options: EncodeOptions, defaults: ChunkOptions
) -> DocumentFacts | None:
    """How the document of a task is cut; None for a task of texts.

    Raises InvalidRequest for chunks that the model would cut short.
    """
    if request.is_image:
        return _images_of(request, model, options)
    if not request.is_document:
        return None
    wanted = request.chunk_tokens
    if wanted is not None and wanted > model.max_tokens:
        reason = f"model {model.name} takes at most {model.max_tokens} tokens"
        raise InvalidRequest(field="chunk_tokens", reason=reason, given=wanted)
    tokens = wanted or min(defaults.tokens, model.max_tokens)
    overlap = request.chunk_overlap
    if overlap is None:
        overlap = min(defaults.overlap, tokens // 4)
    elif overlap * 2 > tokens:
        reason = f"at most half of a chunk's {tokens} tokens, else chunks hardly move on"
        raise InvalidRequest(field="chunk_overlap", reason=reason, given=overlap)
    source = file_source(request)
    return DocumentFacts(
        blob=None if source.blob is None else str(source.blob),
        url=source.url,
        document_id=request.document_id,
        filename=request.filename,
        chunks=ChunkOptions(tokens=tokens, overlap=overlap, prompt=options.prompt),
        batch_size=request.batch_size,
    )


def _images_of(request: TaskRequest, model: EncodingModel, options: EncodeOptions) -> DocumentFacts:
    if not model.reads_images:
        reason = f"model {model.name} reads no images; name one that does (kind: clip)"
        raise InvalidRequest(field="model_name", reason=reason, given=request.model_name)
    own_ids = request.item_ids or repeat(None, len(request.images))
    images = [
        ImageFacts(
            blob=None if source.blob is None else str(source.blob),
            url=source.url,
            size=len(source.content or b""),
            own_id=own_id,
        )
        for source, own_id in zip(image_sources(request), own_ids, strict=True)
    ]
    chunks = ChunkOptions(tokens=model.max_tokens, prompt=options.prompt)
    return DocumentFacts(
        images=images, filename=request.filename, chunks=chunks, batch_size=request.batch_size
    )


def input_type_of(request: TaskRequest) -> str:
    """Whose prompt stands before the texts of a task; empty: the task gave its own."""
    return "" if request.prompt is not None else request.input_type or DOCUMENT


def encode_options(
    model: EncodingModel,
    *,
    dimensions: int | None = None,
    normalize: bool | None = None,
    input_type: str | None = None,
    prompt: str | None = None,
    truncate: Truncate = Truncate.END,
) -> EncodeOptions:
    """Resolve what was chosen; None means the model's own, and of input types `document`.

    A `prompt` stands instead of the input type's. Raises InvalidRequest for an input type or
    dimensions that the model does not have.
    """
    return EncodeOptions(
        prompt=model.prompt_of(input_type or DOCUMENT) if prompt is None else prompt,
        dimensions=kept_dimensions(dimensions, model),
        normalize=model.normalize if normalize is None else normalize,
        truncate=truncate,
    )


def kept_dimensions(wanted: int | None, model: EncodingModel) -> int | None:
    """How many leading numbers are kept, None for all.

    Raises InvalidRequest where the model is not trained for so many.
    """
    if wanted is None or wanted == model.dimension:
        return None
    if wanted in model.matryoshka:
        return wanted
    allowed = sorted({*model.matryoshka, model.dimension})
    listed = ", ".join(map(str, allowed))
    raise InvalidRequest(
        field="dimensions",
        reason=f"model {model.name} is not trained for {wanted}; allowed: {listed}",
        given=wanted,
        allowed=allowed,
    )
