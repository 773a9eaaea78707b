"""Vectors to bytes and back: what each way of writing them costs, in processor time and bytes."""

import asyncio
import base64
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import orjson

from benchmarks.bench import Bench, rounds_of
from benchmarks.figures import Round, Section, Series, ratios
from models.vectors import Vector

NAME = "wire"
TITLE = "Wire codecs: a round trip of float32 vectors, written and read, on one core"
SHAPES = ((1, 384), (64, 384), (1, 768), (64, 768))
SEED = 7


@dataclass(frozen=True, slots=True)
class Codec:
    """One way to write `(n, dim) float32`, and to read it."""

    write: Callable[[Vector], bytes]
    read: Callable[[bytes, int], Vector]
    """From the bytes and the number of vectors."""


class NotTheSame(Exception):
    """A codec gave back other numbers: its speed means nothing."""


def _json_write(vectors: Vector) -> bytes:
    return json.dumps(vectors.tolist()).encode()


def _json_read(written: bytes, _count: int) -> Vector:
    return np.array(json.loads(written), dtype=np.float32)


def _orjson_write(vectors: Vector) -> bytes:
    return orjson.dumps(vectors, option=orjson.OPT_SERIALIZE_NUMPY)


def _orjson_read(written: bytes, _count: int) -> Vector:
    return np.array(orjson.loads(written), dtype=np.float32)


def _base64_write(vectors: Vector) -> bytes:
    return orjson.dumps([base64.b64encode(row.tobytes()).decode() for row in vectors])


def _base64_read(written: bytes, count: int) -> Vector:
    raw = b"".join(map(base64.b64decode, orjson.loads(written)))
    return np.frombuffer(raw, dtype="<f4").reshape(count, -1)


def _raw_write(vectors: Vector) -> bytes:
    return vectors.tobytes()


def _raw_read(written: bytes, count: int) -> Vector:
    return np.frombuffer(written, dtype="<f4").reshape(count, -1)


CODECS = {
    "JSON lists": Codec(_json_write, _json_read),
    "orjson lists": Codec(_orjson_write, _orjson_read),
    "base64 in JSON": Codec(_base64_write, _base64_read),
    "raw float32": Codec(_raw_write, _raw_read),
}
RAW = "raw float32"


class Trial:
    """One codec on vectors of one shape, in the peer's process."""

    def __init__(self, bench: Bench, name: str, shape: tuple[int, int]) -> None:
        """Try the codec called `name`."""
        self.codec = name
        self.name = f"{name}, {shape[0]} × {shape[1]}"
        self._bench = bench
        self._shape = shape

    async def measure(self, number: int) -> Round:
        """Microseconds of one round trip."""
        del number
        run = partial(trip_us, self.codec, self._shape, self._bench.plan.codec_s)
        return Round(value=await asyncio.get_running_loop().run_in_executor(self._bench.peer, run))


def trip_us(name: str, shape: tuple[int, int], seconds: float) -> float:
    """Mean microseconds of a round trip over about so many seconds; raise NotTheSame."""
    codec, vectors = CODECS[name], vectors_of(shape)
    if not np.array_equal(codec.read(codec.write(vectors), len(vectors)), vectors):
        raise NotTheSame(name)
    trips, spent_s, began_s = 0, 0.0, time.process_time()
    while spent_s < seconds or not trips:
        codec.read(codec.write(vectors), len(vectors))
        trips, spent_s = trips + 1, time.process_time() - began_s
    return spent_s / trips * 1e6


def vectors_of(shape: tuple[int, int]) -> Vector:
    """Vectors of length 1 of this shape, always the same: `(n, dim) float32`."""
    made = np.random.default_rng(SEED).standard_normal(shape).astype(np.float32)
    return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), dtype=np.float32)


async def measure(bench: Bench) -> Section:
    """Try every codec on every shape, in turn."""
    section = Section(name=NAME, title=TITLE, wanted_rounds=bench.plan.compared_rounds)
    for shape in SHAPES:
        trials = [Trial(bench, name, shape) for name in CODECS]
        found = await rounds_of(bench, trials, "µs", rounds=bench.plan.compared_rounds)
        series = {
            each.codec: Series(name=each.name, unit="µs", rounds=found[each.name])
            for each in trials
        }
        section.series.extend(series.values())
        section.series.extend(
            Series(
                name=f"{each.name} ÷ {RAW}",
                unit="ratio",
                rounds=ratios(each, series[RAW]),
            )
            for name, each in series.items()
            if name != RAW
        )
        section.notes.append(_sizes(shape))
    return section


def _sizes(shape: tuple[int, int]) -> str:
    vectors = vectors_of(shape)
    sizes = ", ".join(f"{name} {len(codec.write(vectors)):,}" for name, codec in CODECS.items())
    return f"bytes of {shape[0]} × {shape[1]}: {sizes}"
