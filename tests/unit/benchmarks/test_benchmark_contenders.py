"""Contenders' processes and what they say, without any model."""

import base64
import json
import os
import sys
from pathlib import Path

import numpy as np
import orjson
import pytest

from benchmarks.contenders import speaking
from benchmarks.contenders.celery_server import addresses
from benchmarks.contenders.infinity import rows_of
from benchmarks.contenders.ours import options_of
from benchmarks.contenders.speaking import Assignment, Told, Wanted
from benchmarks.contenders.worker import Program, Worker, WorkerFailed, child_environment
from embedding.batching import BatchOptions
from models.vectors import Vector
from scripts.stack.state import ServerState, StackState

GIVEN = Assignment(folder=Path("model"), max_tokens=256, threads=2)

#: A contender that measures texts by their length.
CONTENDER = """
from benchmarks.contenders.speaking import serve_encoder
import numpy as np

def load(given):
    print("a library prints this")
    if given.settings.get("broken"):
        raise ValueError("no such\\nmodel")
    def encode(texts, settings):
        if "poison" in texts:
            raise RuntimeError("poison")
        rows = [[len(text), settings.get("more", 0)] for text in texts]
        return np.array(rows, dtype=np.float32), {"threads": given.threads}
    return encode

serve_encoder(load)
"""


def worker(tmp_path: Path, **settings: str) -> Worker:
    (tmp_path / "bench_fake_contender.py").write_text(CONTENDER)
    environment = child_environment(2)
    path = os.pathsep.join([environment["PYTHONPATH"], str(tmp_path)])
    program = Program("bench_fake_contender", settings=settings, environment={"PYTHONPATH": path})
    return Worker(program, GIVEN, tmp_path)


async def test_a_contender_answers_each_question_with_the_vectors_of_its_texts(
    tmp_path: Path,
) -> None:
    contender = worker(tmp_path)
    try:
        await contender.start()
        told, vectors = await contender.encode(["a", "bb"], {"more": 7})
        again, _ = await contender.encode(["ccc"])
    finally:
        await contender.end()
    assert vectors.tolist() == [[1, 7], [2, 7]]
    assert told.facts == again.facts == {"threads": 2}
    assert told.seconds > 0


async def test_a_question_that_fails_is_said_and_the_next_one_is_answered(
    tmp_path: Path,
) -> None:
    contender = worker(tmp_path)
    try:
        await contender.start()
        with pytest.raises(WorkerFailed, match="RuntimeError: poison"):
            await contender.encode(["poison"])
        _, vectors = await contender.encode(["bb"])
    finally:
        await contender.end()
    assert vectors.tolist() == [[2, 0]]


async def test_a_contender_that_cannot_load_says_why_in_one_line(
    tmp_path: Path,
) -> None:
    contender = worker(tmp_path, broken="yes")
    try:
        with pytest.raises(WorkerFailed, match="ValueError: no such model"):
            await contender.start()
    finally:
        await contender.end()


async def test_a_contender_that_dies_shows_what_it_printed_last(tmp_path: Path) -> None:
    contender = Worker(Program("no_such_module_anywhere"), GIVEN, tmp_path)
    try:
        with pytest.raises(WorkerFailed, match="No module named no_such_module_anywhere"):
            await contender.start()
    finally:
        await contender.end()


def test_every_contender_has_the_same_threads_and_no_network_for_models() -> None:
    found = child_environment(3)
    assert found["OMP_NUM_THREADS"] == found["RAYON_NUM_THREADS"] == "3"
    assert found["HF_HUB_OFFLINE"] == "1"


def test_only_encoding_is_timed_and_vectors_are_put_where_they_are_wanted(tmp_path: Path) -> None:
    (tmp_path / "texts.json").write_text(json.dumps(["x"]))
    wanted = Wanted(texts=tmp_path / "texts.json", vectors=tmp_path / "found.npy")

    def encode(texts: list[str], settings: dict[str, int]) -> tuple[Vector, dict[str, str]]:
        return np.ones((len(texts), 3), dtype=np.float32), {"backend": "fake"}

    told = speaking._encoded(encode, wanted)
    assert told.facts == {"backend": "fake"}
    assert np.load(tmp_path / "found.npy").shape == (1, 3)


def test_a_contender_reads_its_assignment_from_its_only_argument(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", ["contender", GIVEN.model_dump_json()])
    assert speaking.assignment() == GIVEN


def test_infinity_gives_vectors_by_their_own_index() -> None:
    rows = np.array([[1, 2], [3, 4]], dtype="<f4")
    data = [
        {"index": index, "embedding": base64.b64encode(rows[index].tobytes()).decode()}
        for index in (1, 0)
    ]
    assert rows_of(orjson.dumps({"data": data})).tolist() == rows.tolist()


def test_ours_runs_as_by_default_or_with_just_so_many_tokens_a_batch() -> None:
    fixed = options_of(1024)
    assert options_of(0) == BatchOptions()
    assert {fixed.first_tokens, fixed.least_tokens, fixed.most_tokens} == {1024}


def test_celery_works_on_the_stack_of_the_run_in_a_database_of_its_own(tmp_path: Path) -> None:
    servers = {
        "redis": {"database.redis_url": "redis://127.0.0.1:7001/0"},
        "weaviate": {
            "database.weaviate_url": "http://127.0.0.1:7002",
            "database.weaviate_grpc_url": "127.0.0.1:7003",
        },
    }
    states = {
        name: ServerState(name=name, ports={}, url="", settings=given, log=tmp_path)
        for name, given in servers.items()
    }
    told = addresses(StackState(directory=tmp_path, up=True, servers=states), GIVEN)
    assert told["BENCH_REDIS_URL"] == "redis://127.0.0.1:7001/5"
    assert told["BENCH_WEAVIATE_GRPC"] == "127.0.0.1:7003"


def test_what_a_contender_tells_survives_its_way_through_a_line() -> None:
    told = Told(seconds=1.5, facts={"tokens": 12.0, "backend": "openvino bf16"})
    assert Told.model_validate_json(told.model_dump_json()) == told
