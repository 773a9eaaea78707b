"""Texts and images made ready for a model, one outcome each: what cannot be read fails alone."""

from collections.abc import Callable, Sequence
from functools import partial

import structlog

from embedding.encoder import EncodeFailure, Encoder, ModelInput, ReadyImage, Tokenized
from models.encoding import EncodeOptions, Truncate
from models.images import Pixels, PixelSpec
from models.states import ItemErrorCode

log = structlog.get_logger(__name__)

#: A text or image made ready, or why it cannot be.
Read = ModelInput | EncodeFailure


def read_all(
    encoder: Encoder, inputs: Sequence[str | Pixels], options: EncodeOptions
) -> list[Read]:
    """Make `inputs` ready, texts and images in any order; an image that does not fit is a failure.

    So is a text that is too long, where the task wants no truncation. The prompt is for texts.
    """
    texts = [one for one in inputs if isinstance(one, str)]
    read = _read_texts(encoder, texts, options) if texts else []
    if len(texts) == len(inputs):
        return read
    following = iter(read)
    return [
        next(following) if isinstance(one, str) else _read_image(encoder.pixel_spec, one)
        for one in inputs
    ]


def _read_texts(encoder: Encoder, texts: Sequence[str], options: EncodeOptions) -> list[Read]:
    """Tokenize texts; where that raises, one by one, so that the culprit fails alone."""
    tokenize = partial(encoder.tokenize, prompt=options.prompt, truncate=options.truncate)
    try:
        found: Sequence[Read] = tokenize(texts)
    except BaseException:  # noqa: BLE001  (a panic in native code is no Exception)
        found = [_read_alone(tokenize, text) for text in texts]
    return [_whole(one) for one in found] if options.truncate is Truncate.ERROR else list(found)


def _read_alone(tokenize: Callable[[Sequence[str]], list[Tokenized]], text: str) -> Read:
    try:
        return tokenize([text])[0]
    except BaseException as error:  # noqa: BLE001  (likewise)
        kind = type(error).__name__
        log.warning("tokenize_failed", characters=len(text), error=kind)
        message = f"the tokenizer failed on this text: {kind}"
        return EncodeFailure(ItemErrorCode.ENCODE_FAILED, message)


def _read_image(spec: PixelSpec | None, pixels: Pixels) -> Read:
    if spec is None:
        return EncodeFailure(ItemErrorCode.ENCODE_FAILED, "the model reads texts, no images")
    given = pixels.height, pixels.width
    if given == spec.size:
        return ReadyImage(pixels, spec.tokens)
    message = f"the image was made {given} points large for a model that takes {spec.size}"
    return EncodeFailure(ItemErrorCode.ENCODE_FAILED, message)


def _whole(one: Read) -> Read:
    """Give back what is not cut; what is, fails."""
    if not (isinstance(one, Tokenized) and one.truncated):
        return one
    message = (
        f"the text has {one.tokens} tokens, the model takes {one.length}"
        " (truncate: error; with end or start it would be cut)"
    )
    return EncodeFailure(ItemErrorCode.TEXT_TOO_LONG, message)
