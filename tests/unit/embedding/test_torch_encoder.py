"""The torch side without a model: the way onto a device, and memory that runs out."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from embedding.encoder import ReadyImage, Tokenized, as_images, as_texts
from embedding.torch_encoder import out_of_memory_as_memory_error
from embedding.torch_staging import Staging, staged_length, widened
from models.images import Pixels

PAD = 9


def _batch(*lengths: int) -> list[Tokenized]:
    return [Tokenized(np.arange(1, n + 1, dtype=np.int32), n) for n in lengths]


def _staging() -> Staging:
    return Staging("cpu", pad_id=PAD, max_tokens=100)


@pytest.mark.parametrize(
    "longest,max_tokens,expected",
    [(0, 100, 8), (1, 100, 8), (8, 100, 8), (9, 100, 16), (97, 100, 100), (100, 100, 100)],
)
def test_a_batch_is_padded_to_a_multiple_but_never_past_the_models_limit(
    longest: int, max_tokens: int, expected: int
) -> None:
    assert staged_length(longest, step=8, max_tokens=max_tokens) == expected


def test_a_batch_is_never_padded_to_less_than_it_is_long() -> None:
    assert staged_length(120, step=8, max_tokens=100) == 120


def test_rows_are_padded_on_the_right_and_masked() -> None:
    ids, mask = _staging().place(_batch(1, 3, 0))
    assert ids.tolist() == [[1, PAD, PAD], [1, 2, 3], [PAD, PAD, PAD]]
    assert mask.tolist() == [[1, 0, 0], [1, 1, 1], [0, 0, 0]]
    assert (ids.dtype, mask.dtype) == (torch.int64, torch.int64)


def test_a_batch_leaves_nothing_behind_for_a_smaller_one() -> None:
    staging = _staging()
    staging.place(_batch(5, 4, 3))
    ids, mask = staging.place(_batch(2, 1))
    assert ids.tolist() == [[1, 2], [1, PAD]]
    assert mask.tolist() == [[1, 1], [1, 0]]


def test_what_was_placed_and_fetched_is_not_touched_by_the_next_batch() -> None:
    staging = _staging()
    ids, _ = staging.place(_batch(2))
    vectors = staging.fetch(torch.ones(1, 3, dtype=torch.float16))
    staging.place(_batch(4))
    staging.fetch(torch.zeros(1, 3, dtype=torch.float16))
    assert ids.tolist() == [[1, 2]]
    assert (vectors.tolist(), vectors.dtype) == ([[1.0, 1.0, 1.0]], np.float32)


def test_lengths_become_a_mask() -> None:
    ids, lengths = torch.ones(2, 3, dtype=torch.int32), torch.tensor([[3], [1]], dtype=torch.int32)
    assert widened(ids, lengths)[1].tolist() == [[1, 1, 1], [1, 0, 0]]


OUT_OF_MEMORY: Sequence[RuntimeError] = (
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory"),
)


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=["cuda", "cpu"])
def test_memory_that_runs_out_is_a_memory_error(error: RuntimeError) -> None:
    with pytest.raises(MemoryError, match="out of memory on cpu"):  # noqa: SIM117
        with out_of_memory_as_memory_error("cpu"):
            raise error


def test_any_other_error_stays_what_it_is() -> None:
    with pytest.raises(RuntimeError, match="shapes"):  # noqa: SIM117
        with out_of_memory_as_memory_error("cpu"):
            raise RuntimeError("shapes do not fit")


def test_without_an_error_nothing_happens() -> None:
    with out_of_memory_as_memory_error("cpu"):
        pass


def _images(*marks: int) -> list[ReadyImage]:
    return [ReadyImage(Pixels(2, 1, bytes([mark, 0, 9, mark, 1, 8])), 1) for mark in marks]


def test_pixels_lie_row_by_row_red_green_and_blue() -> None:
    pixels = _staging().place_images(_images(1, 2))
    assert (pixels.shape, pixels.dtype) == ((2, 2, 1, 3), torch.uint8)
    assert pixels[1].tolist() == [[[2, 0, 9]], [[2, 1, 8]]]


def test_many_images_leave_nothing_behind_for_fewer() -> None:
    staging = _staging()
    staging.place_images(_images(1, 2, 3))
    assert staging.place_images(_images(4))[:, 0, 0, 0].tolist() == [4]


def test_a_call_of_texts_and_images_is_a_bug_that_shows() -> None:
    mixed = [*_batch(1), *_images(1)]
    with pytest.raises(TypeError, match="an image where the model reads texts"):
        as_texts(mixed)
    with pytest.raises(TypeError, match="a text among images"):
        as_images(mixed)
