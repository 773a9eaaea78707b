"""The way of a batch onto a device and of its vectors back. On CUDA: pinned memory, own stream."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from embedding.encoder import ReadyImage, Tokenized
from models.images import CHANNELS
from models.vectors import Vector

#: CUDA kernels are fast for lengths that this divides, and fewer shapes fragment memory less.
LENGTH_STEP = 8


def staged_length(longest: int, *, step: int, max_tokens: int) -> int:
    """How long to pad a batch: the next multiple of `step`, but never past the model's limit."""
    needed = max(longest, 1)
    return max(needed, min(max_tokens, -(-needed // step) * step))


class Staging:
    """Places batches on one device and fetches results. One thread at a time."""

    def __init__(self, device: str, *, pad_id: int, max_tokens: int) -> None:
        """Prepare for `device`; on the CPU nothing is copied and nothing padded further."""
        self._device = torch.device(device)
        self._cuda = self._device.type == "cuda"
        self._step = LENGTH_STEP if self._cuda else 1
        self._pad_id = pad_id
        self._max_tokens = max_tokens
        self._copies = _copy_stream(self._device) if self._cuda else None
        self._ids = _Reused(torch.int32, pinned=self._cuda)
        self._lengths = _Reused(torch.int32, pinned=self._cuda)
        self._pixels = _Reused(torch.uint8, pinned=self._cuda)
        self._vectors = _Reused(torch.float32, pinned=self._cuda)

    def place(self, batch: Sequence[Tokenized]) -> tuple[Tensor, Tensor]:
        """Ids and attention mask on the device, `(n, length) int64` each.

        Ids travel as int32 and the mask as lengths, a quarter of the bytes.
        """
        longest = max((one.length for one in batch), default=0)
        width = staged_length(longest, step=self._step, max_tokens=self._max_tokens)
        ids = self._ids.take(len(batch), width).fill_(self._pad_id)
        lengths = self._lengths.take(len(batch), 1)
        rows = ids.numpy()
        for row, one in enumerate(batch):
            rows[row, : one.length] = one.ids
        lengths[:, 0] = torch.tensor([one.length for one in batch], dtype=torch.int32)
        return widened(self._copied(ids), self._copied(lengths))

    def place_images(self, batch: Sequence[ReadyImage]) -> Tensor:
        """Pixels on the device, `(n, height, width, 3) uint8`: a quarter of what they become."""
        height, width = batch[0].pixels.height, batch[0].pixels.width
        pixels = self._pixels.take(len(batch), height * width * CHANNELS)
        rows = pixels.numpy()
        for row, one in enumerate(batch):
            rows[row] = np.frombuffer(one.pixels.data, dtype=np.uint8)
        return self._copied(pixels).view(len(batch), height, width, CHANNELS)

    def fetch(self, vectors: Tensor) -> Vector:
        """`(n, dim)` vectors as an array of its own, float32."""
        if not self._cuda:
            return np.array(vectors.float().numpy())
        kept = self._vectors.take(*vectors.shape)
        kept.copy_(vectors, non_blocking=True)
        torch.cuda.current_stream(self._device).synchronize()
        return kept.numpy().copy()

    def _copied(self, host: Tensor) -> Tensor:
        """The tensor on the device; the copy runs beside the device's own work."""
        if self._copies is None:
            return host
        with torch.cuda.stream(self._copies):
            there = host.to(self._device, non_blocking=True)
        now = torch.cuda.current_stream(self._device)
        now.wait_stream(self._copies)
        there.record_stream(now)
        return there


def widened(ids: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """`(n, length)` ids and `(n, 1)` lengths as ids and mask, `(n, length) int64` each."""
    places = torch.arange(ids.shape[1], device=ids.device)
    return ids.to(torch.int64), (places < lengths).to(torch.int64)


def _copy_stream(device: torch.device) -> torch.cuda.Stream:
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]  # torch types it not


class _Reused:
    """Host memory that one batch after the other uses; it grows to the largest."""

    def __init__(self, dtype: torch.dtype, *, pinned: bool) -> None:
        self._flat = torch.empty(0, dtype=dtype, pin_memory=pinned)
        self._pinned = pinned

    def take(self, rows: int, columns: int) -> Tensor:
        """A `(rows, columns)` view; what it held before is gone."""
        if self._flat.numel() < rows * columns:
            self._flat = torch.empty(
                rows * columns, dtype=self._flat.dtype, pin_memory=self._pinned
            )
        return self._flat[: rows * columns].view(rows, columns)
