"""What the tests on a card share: unit vectors, and less memory than it has."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from embedding.quality import shaped
from models.encoding import EncodeOptions
from models.vectors import Vector

MEGABYTE = 1 << 20


def unit(vectors: Vector) -> Vector:
    return shaped(vectors, EncodeOptions())


@contextmanager
def no_more_memory_than(device_bytes_left: int) -> Iterator[None]:
    """Let torch reserve only so much more than it holds now."""
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(
        (torch.cuda.memory_reserved(0) + device_bytes_left) / total, 0
    )
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, 0)
