"""A service on a stack of its own, for the pages' blocks."""

import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts.stack import start_stack, stop_stack
from scripts.stack.ports import free_port
from tests.docs.console import console_tools

ROOT = Path(__file__).resolve().parents[2]
READY_S = 180.0
STOP_S = 60.0


@dataclass(frozen=True)
class Running:
    """Where everything listens, and the environment in which a block is run."""

    web: str
    prometheus: str
    kafka: str
    env: dict[str, str]

    def moved(self, code: str) -> str:
        """The block with the standard ports replaced by the real ones."""
        places = {
            "localhost:8000": self.web,
            "localhost:9090": self.prometheus,
            "localhost:9092": self.kafka,
        }
        for standard, real in places.items():
            code = code.replace(standard, real)
        return code


def answers(url: str) -> bool:
    """Whether a URL answers 200 now."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def await_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until `url` answers; fail with the end of the log where the process dies first."""
    until_s = time.monotonic() + READY_S
    while not answers(url):
        if process.poll() is not None or time.monotonic() > until_s:
            pytest.fail(f"not ready at {url} (exit {process.poll()}): {log.read_text()[-3000:]}")
        time.sleep(0.25)


def ended(process: subprocess.Popen[bytes]) -> int:
    """End a process as its supervisor would; its exit code."""
    process.terminate()
    try:
        return process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise


@pytest.fixture(scope="session")
def stack_env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment in which a service finds a fresh stack, and nothing of the user's."""
    folder = tmp_path_factory.mktemp("docs") / "stack"
    stack = start_stack(folder, ephemeral=True)
    try:
        ours = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("VECTORIZE_") and name != "LOG_LEVEL"
        }
        tools = console_tools(folder.parent / "bin", print)
        yield {
            **ours,
            "PATH": f"{tools}:{ours['PATH']}",
            "VECTORIZE_STACK_DIR": str(stack.directory),
            "VECTORIZE_MASTER_HOST": "127.0.0.1",
            "VECTORIZE_MASTER_KAFKA_BOOTSTRAP_SERVERS": stack.settings["kafka.bootstrap_servers"],
        }
    finally:
        stop_stack(folder)


def own_ports(env: dict[str, str], folder: Path) -> tuple[dict[str, str], int, int]:
    """The environment of one more worker: ports and tables of its own."""
    web, prometheus = free_port(), free_port()
    return (
        {
            **env,
            "VECTORIZE_MASTER_PORT": str(web),
            "VECTORIZE_MASTER_SERVICE_WORKER_PORT": str(web),
            "VECTORIZE_MASTER_MONITORING_PROMETHEUS_PORT": str(prometheus),
            "VECTORIZE_MASTER_SERVICE_DATA_DIR": str(folder / "data"),
        },
        web,
        prometheus,
    )


@pytest.fixture(scope="session")
def service(
    stack_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """The service in one process with the real model, as `make run` has it."""
    folder = tmp_path_factory.mktemp("service")
    env, web, prometheus = own_ports(stack_env, folder)
    log = folder / "log"
    with log.open("wb") as out:
        command = [str(ROOT / ".venv/bin/faust"), "-A", "faust_app", "worker", "-l", "info"]
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=out, stderr=out)
    try:
        await_ready(f"http://127.0.0.1:{web}/readyz", process, log)
        kafka = env["VECTORIZE_MASTER_KAFKA_BOOTSTRAP_SERVERS"]
        yield Running(f"127.0.0.1:{web}", f"127.0.0.1:{prometheus}", kafka, env)
        assert ended(process) == 0, log.read_text()[-3000:]
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
