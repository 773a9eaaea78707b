"""From a catalog's entry to a loaded encoder: the one place that knows every backend."""

from embedding.catalog import ModelEntry
from embedding.encoder import Encoder
from embedding.hashing_encoder import HashingEncoder
from embedding.torch_encoder import TORCH_DEFAULTS, TorchOptions, load_torch


def load_encoder(entry: ModelEntry, options: TorchOptions = TORCH_DEFAULTS) -> Encoder:
    """Load `entry` with its backend; blocking, seconds for torch. Raises BadWeights."""
    if entry.backend == "hashing":
        return HashingEncoder(entry)
    return load_torch(entry, options)
