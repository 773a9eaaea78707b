"""`embedding.isolated` with an encoder that falls for poison."""

from embedding.catalog import ModelEntry
from embedding.encoder import Encoder
from embedding.isolated import main
from embedding.loading import LoadOptions, load_encoder
from tests.harness.poison import PoisonedEncoder


def load(entry: ModelEntry, options: LoadOptions) -> Encoder:
    """Load the model, then spoil it."""
    return PoisonedEncoder(load_encoder(entry, options))


if __name__ == "__main__":
    main(load)
