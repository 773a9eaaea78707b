"""The model's tokenizer alone, with as many threads as the process was given."""

import numpy as np

from benchmarks.contenders.speaking import Assignment, Encode, serve_encoder
from models.vectors import Vector


def load(given: Assignment) -> Encode:
    """Load it; there are no vectors, only a count of tokens."""
    from tokenizers import Tokenizer  # noqa: PLC0415  # comes with torch's company

    tokenizer = Tokenizer.from_file(str(given.folder / "tokenizer.json"))
    tokenizer.enable_truncation(given.max_tokens)
    tokenizer.no_padding()

    def encode(
        texts: list[str], _settings: dict[str, int]
    ) -> tuple[Vector, dict[str, float | str]]:
        found = tokenizer.encode_batch_fast(texts)
        return np.empty((0, 0), dtype=np.float32), {"tokens": sum(len(each.ids) for each in found)}

    return encode


if __name__ == "__main__":
    serve_encoder(load)
