"""A whole stack, for real: it comes up, is used, hurt, healed and taken down."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis
import weaviate
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from weaviate.classes.config import Configure, DataType, Property

from scripts.stack import (
    PortTaken,
    ServerFailed,
    StackState,
    kill_service,
    load_state,
    stack_status,
    start_service,
    start_stack,
    stop_service,
    stop_stack,
)
from scripts.stack.places import CHECKOUT

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

LARGE_RECORD = b"x" * (8 * 1024 * 1024)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackState]:
    """One ephemeral stack of all three servers."""
    directory = tmp_path_factory.mktemp("full") / "stack"
    yield start_stack(directory, ephemeral=True)
    stop_stack(directory)


@pytest.fixture
def cache_only(tmp_path: Path) -> Iterator[StackState]:
    """A second stack, of Redis alone."""
    directory = tmp_path / "stack"
    yield start_stack(directory, ephemeral=True, services=["redis"])
    stop_stack(directory)


def _pids(state: StackState) -> dict[str, int]:
    return {name: server.process.pid for name, server in state.servers.items() if server.process}


def _redis(state: StackState) -> "redis.Redis":
    return redis.Redis.from_url(state.settings["database.redis_url"])


def _command_line(*arguments: str, directory: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "scripts.stack", *arguments],
        cwd=CHECKOUT,
        env={**os.environ, "VECTORIZE_STACK_DIR": str(directory)},
        capture_output=True,
        text=True,
        check=False,
    )


async def _produce(servers: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        limits = {"max.message.bytes": str(10 * 1024 * 1024)}
        await admin.create_topics([NewTopic(topic, 1, 1, topic_configs=limits)])
    finally:
        await admin.close()
    producer = AIOKafkaProducer(
        bootstrap_servers=servers, acks="all", max_request_size=10 * 1024 * 1024
    )
    async with producer:
        await producer.send_and_wait(topic, LARGE_RECORD)


async def _consume(servers: str, topic: str) -> bytes:
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=servers,
        group_id=f"group-of-{topic}",
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    async with consumer:
        record = await asyncio.wait_for(consumer.getone(), 30)
    return bytes(record.value or b"")


def test_kafka_keeps_a_large_record_through_a_crash_of_the_broker(full: StackState) -> None:
    servers = full.settings["kafka.bootstrap_servers"]
    asyncio.run(_produce(servers, "crash"))
    kill_service(full.directory, "kafka")
    after = start_service(full.directory, "kafka")
    assert after.settings == full.settings
    assert asyncio.run(_consume(servers, "crash")) == LARGE_RECORD


def test_weaviate_stores_a_vector_over_grpc_and_keeps_it_through_a_restart(
    full: StackState,
) -> None:
    _store_one_vector(full)
    stop_service(full.directory, "weaviate")
    start_service(full.directory, "weaviate")
    assert _nearest_text(full) == "hello"


def _weaviate(state: StackState) -> weaviate.WeaviateClient:
    server = state.server("weaviate")
    return weaviate.connect_to_local(
        host="127.0.0.1", port=server.ports["main"], grpc_port=server.ports["grpc"]
    )


def _store_one_vector(state: StackState) -> None:
    with _weaviate(state) as client:
        own = Configure.Vectors.self_provided()
        text = Property(name="text", data_type=DataType.TEXT)
        notes = client.collections.create("Notes", vector_config=own, properties=[text])
        notes.data.insert({"text": "hello"}, vector=[0.1, 0.2, 0.3])


def _nearest_text(state: StackState) -> object:
    with _weaviate(state) as client:
        found = client.collections.get("Notes").query.near_vector([0.1, 0.2, 0.3], limit=1)
    return found.objects[0].properties["text"]


def test_a_killed_redis_comes_back_on_its_port_and_its_neighbours_stay(full: StackState) -> None:
    before = _pids(load_state(full.directory) or full)
    assert _redis(full).ping()
    kill_service(full.directory, "redis")
    with pytest.raises(redis.ConnectionError):
        _redis(full).ping()
    conditions = {server.name: server.condition for server in stack_status(full.directory)}
    assert conditions == {"kafka": "running", "redis": "died", "weaviate": "running"}
    after = start_stack(full.directory)  # what `up` does: start only what is dead
    assert _redis(full).ping()
    assert after.settings == full.settings
    assert {name for name, pid in _pids(after).items() if pid != before[name]} == {"redis"}


def test_two_stacks_run_side_by_side(full: StackState, cache_only: StackState) -> None:
    _redis(full).set("whose", "full")
    _redis(cache_only).set("whose", "second")
    assert _redis(full).get("whose") == b"full"
    assert set(cache_only.settings) == {"database.redis_url"}


def test_taking_a_stack_down_leaves_no_process_and_no_file(
    full: StackState, tmp_path: Path
) -> None:
    directory = tmp_path / "stack"
    second = start_stack(directory, ephemeral=True, services=["redis"])
    stop_stack(directory)
    assert not any(psutil.pid_exists(pid) for pid in _pids(second).values())
    assert not directory.exists()
    assert _redis(full).ping(), "it ended a server of another stack"


def test_a_server_whose_port_was_taken_says_who_has_it(cache_only: StackState) -> None:
    kill_service(cache_only.directory, "redis")
    port = cache_only.server("redis").ports["main"]
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(PortTaken, match=str(os.getpid())),
    ):
        start_service(cache_only.directory, "redis")


def test_a_stack_with_data_keeps_it_and_its_ports_are_free_after_down(tmp_path: Path) -> None:
    first = start_stack(tmp_path, services=["redis"])
    stop_stack(tmp_path)
    down = load_state(tmp_path)
    assert down is not None
    assert down.settings == {}
    again = start_stack(tmp_path, services=["redis"])
    stop_stack(tmp_path)
    assert again.settings == first.settings


def test_a_stack_that_a_reboot_left_stale_comes_up_again(cache_only: StackState) -> None:
    path = cache_only.directory / "state.json"
    written = json.loads(path.read_text())
    kill_service(cache_only.directory, "redis")
    written["servers"]["redis"]["process"] = {"pid": os.getpid(), "started": "old boot:7"}
    path.write_text(json.dumps(written))
    after = start_stack(cache_only.directory, services=["redis"])
    assert after.settings == cache_only.settings
    assert _redis(after).ping()


def test_a_server_that_dies_at_its_start_shows_its_log_and_is_not_left_behind(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "weaviate"
    folder.mkdir()
    (folder / "data").write_text("where Weaviate wants a folder")
    with pytest.raises(ServerFailed, match=r"weaviate died at its start(.|\n)*weaviate\.log"):
        start_stack(tmp_path, ephemeral=True, services=["redis", "weaviate"])
    conditions = {server.name: server.condition for server in stack_status(tmp_path)}
    assert conditions == {"redis": "stopped", "weaviate": "stopped"}


def test_the_command_line_reports_a_running_stack(full: StackState) -> None:
    start_stack(full.directory)
    status = _command_line("status", "--json", directory=full.directory)
    report = json.loads(status.stdout)
    assert (status.returncode, report["running"]) == (0, True)
    assert all(server["memory_bytes"] > 1_000_000 for server in report["servers"])
    table = _command_line("status", directory=full.directory)
    assert table.stdout.count("running") == 3


def test_up_prints_nothing_but_lines_to_eval(full: StackState) -> None:
    up = _command_line("up", "--env", directory=full.directory)
    assert up.returncode == 0
    assert all(line.startswith("export VECTORIZE_") for line in up.stdout.splitlines())
    assert f"export VECTORIZE_STACK_DIR={full.directory}" in up.stdout.splitlines()


def test_a_folder_without_a_stack_is_reported_and_down_is_no_error(tmp_path: Path) -> None:
    status = _command_line("status", directory=tmp_path)
    assert (status.returncode, "no stack in" in status.stdout) == (1, True)
    assert _command_line("down", directory=tmp_path).returncode == 0
