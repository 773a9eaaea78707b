"""The rate of a square matrix product here, by precision: the roof over any encoder."""

import time
from typing import TYPE_CHECKING

from benchmarks.contenders.speaking import Answer, Assignment, Told, serve

if TYPE_CHECKING:
    import torch

SIDE = 2048
LEAST_S = 0.3
FLOP = 2 * SIDE**3


def load(given: Assignment) -> Answer:
    """Make the matrices."""
    import torch  # noqa: PLC0415  # seconds and 400 MB: only this process pays

    torch.set_num_threads(given.threads)
    pairs = {
        name: (torch.rand(SIDE, SIDE).to(dtype), torch.rand(SIDE, SIDE).to(dtype))
        for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16))
    }

    def answer(_line: bytes) -> Told:
        rates: dict[str, float | str] = {name: gflops(*pair) for name, pair in pairs.items()}
        return Told(facts=rates)

    return answer


def gflops(one: "torch.Tensor", other: "torch.Tensor") -> float:
    """The best of several products, in 10⁹ operations a second."""
    ends_s, best_s = time.perf_counter() + LEAST_S, float("inf")
    while time.perf_counter() < ends_s:
        began_s = time.perf_counter()
        one @ other
        best_s = min(best_s, time.perf_counter() - began_s)
    return FLOP / best_s / 1e9


if __name__ == "__main__":
    serve(load)
