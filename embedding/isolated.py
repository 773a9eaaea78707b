"""The child process that encodes suspects: `python -m embedding.isolated`.

Lines of JSON in, a line each out: first what to load, then text after text, or image. It dies of
what kills it, and a limit on its memory sees to it that it dies alone.
"""

import base64
import json
import os
import resource
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from embedding.catalog import ModelEntry
from embedding.encoder import EncodedText, EncodeFailure, Encoder, Outcome, ReadyImage
from embedding.loading import LoadOptions, load_encoder
from embedding.quality import shaped, vector_faults
from embedding.reading import read_all
from models.encoding import EncodeOptions
from models.images import Pixels
from models.states import ItemErrorCode

MB = 1_000_000
Load = Callable[[ModelEntry, LoadOptions], Encoder]


def main(load: Load = load_encoder) -> None:
    """Serve until standard input ends."""
    out = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # what a library prints is no answer
    orders = (json.loads(line) for line in sys.stdin)
    for answer in _answers(orders, load):
        out.write(json.dumps(answer) + "\n")
        out.flush()


def _answers(orders: Iterator[dict[str, Any]], load: Load) -> Iterator[dict[str, Any]]:
    first = next(orders)
    entry = ModelEntry.model_validate(first["entry"])
    try:
        encoder = load(entry, _load_options(first))
    except Exception as error:  # noqa: BLE001  (the parent tells it)
        yield {"error": " ".join(str(error).split()) or type(error).__name__}
        return
    _limit_memory(int(first["memory_mb"]) * MB)
    yield {"ready": True}
    for order in orders:
        options = EncodeOptions.model_validate(order["options"])
        yield _told(_encoded(encoder, entry, _given(order), options))


def _given(order: dict[str, Any]) -> str | Pixels:
    """The text or image that an order names."""
    if "text" in order:
        text: str = order["text"]
        return text
    return Pixels(order["height"], order["width"], base64.b64decode(order["pixels"]))


def _load_options(order: dict[str, Any]) -> LoadOptions:
    return LoadOptions(
        cache_dir=Path(order["cache_dir"]), device=order["device"], threads=order["threads"]
    )


def _limit_memory(more_bytes: int) -> None:
    """Let this process have so much more address space than it has now (Linux)."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + more_bytes
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _encoded(
    encoder: Encoder, entry: ModelEntry, given: str | Pixels, options: EncodeOptions
) -> Outcome:
    """Encode one text or image alone; what raises fails it, as in the batcher."""
    [read] = read_all(encoder, [given], options)
    if isinstance(read, EncodeFailure):
        return read
    try:
        vectors = encoder.forward([read])
        [fault] = vector_faults(vectors, texts=1, dimension=entry.dimension)
        if fault is not None:
            vectors = encoder.forward_exact(read)[None, :]
            [fault] = vector_faults(vectors, texts=1, dimension=entry.dimension)
    except Exception as error:  # noqa: BLE001  (one text's trouble)
        noun = "image" if isinstance(read, ReadyImage) else "text"
        message = f"the model failed on this {noun}: {type(error).__name__}"
        return EncodeFailure(ItemErrorCode.ENCODE_FAILED, message)
    if fault is not None:
        return EncodeFailure(ItemErrorCode.BAD_VECTOR, fault)
    return EncodedText(shaped(vectors, options)[0], read.tokens, read.tokens > read.length)


def _told(outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome, EncodeFailure):
        return {"code": outcome.code, "message": outcome.message}
    return {
        "vector": base64.b64encode(outcome.vector.astype("<f4").tobytes()).decode("ascii"),
        "tokens": outcome.tokens,
        "truncated": outcome.truncated,
    }


if __name__ == "__main__":
    main()
