"""The child process that converts a model: `python -m embedding.convert FOLDER TARGET`.

It reads the catalog's entry as JSON from its standard input. The last line of its standard error
says what went wrong.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

from embedding.catalog import ModelEntry
from embedding.conversion import EXIT_BAD_WEIGHTS, Converted, Manifest, maker_versions
from embedding.openvino_runtime import openvino
from embedding.parity import BackendRefused
from embedding.sentence_model import (
    SentenceForward,
    load_sentence_model,
    pad_id,
    reference_vectors,
    tokenizer_definition,
)
from embedding.tokenizing import TextTokenizer, padded
from embedding.weights import BadWeights
from models.encoding import Truncate

#: The model is traced with two texts of unlike length, so that padding is part of the trace.
TRACED_TEXTS = ("The river runs under the old stone bridge.", "A vector.")


def main(arguments: Sequence[str]) -> int:
    """Convert the model in the first folder into the second; what it returns is the exit code."""
    source, target = (Path(argument) for argument in arguments)
    torch.set_num_threads(1)  # on a processor that serves meanwhile, two wait for each other
    entry = ModelEntry.model_validate_json(sys.stdin.read())
    try:
        convert(entry, source, Converted(target))
    except (BadWeights, BackendRefused) as error:
        sys.stderr.write(f"{error.message}\n")
        return EXIT_BAD_WEIGHTS if isinstance(error, BadWeights) else 1
    return 0


def convert(entry: ModelEntry, source: Path, target: Converted) -> None:
    """Write network, tokenizer, reference vectors and manifest of the model in `source`."""
    model = load_sentence_model(source, entry)
    np.save(target.reference, reference_vectors(model), allow_pickle=False)
    target.tokenizer.write_text(tokenizer_definition(model), encoding="utf-8")
    openvino.save_model(_traced(model, entry), target.network, compress_to_fp16=False)
    manifest = Manifest(
        pad_id=pad_id(model),
        max_tokens=entry.max_tokens,
        versions=maker_versions(),
        sizes=target.sizes(),
    )
    target.manifest.write_text(manifest.model_dump_json(indent=2), encoding="utf-8")


def _traced(model: SentenceTransformer, entry: ModelEntry) -> "openvino.Model":
    """The model as OpenVINO's graph; number and length of texts stay open."""
    tokenizer = TextTokenizer(tokenizer_definition(model), entry.max_tokens)
    ready = tokenizer.tokenize(TRACED_TEXTS, prompt="", truncate=Truncate.END)
    names = ("input_ids", "attention_mask")
    arrays = padded(ready, pad_id(model))
    with torch.no_grad():
        return openvino.convert_model(
            SentenceForward(model).eval(),
            example_input={
                name: torch.from_numpy(array) for name, array in zip(names, arrays, strict=True)
            },
            input=[(name, openvino.PartialShape([-1, -1]), openvino.Type.i64) for name in names],
        )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
