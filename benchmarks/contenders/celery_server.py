"""The Celery worker of a run: prefork with a process a core, as Celery does by default."""

from collections.abc import Mapping
from pathlib import Path

from benchmarks.contenders import celery_names as names
from benchmarks.contenders.server import Server
from benchmarks.contenders.speaking import Assignment
from benchmarks.contenders.worker import child_environment
from scripts.stack import StackState

APP = "benchmarks.contenders.celery_tasks"
#: A database of Redis that the service does not use.
DATABASE = 5


def addresses(stack: StackState, given: Assignment) -> dict[str, str]:
    """What worker and client are told by environment."""
    redis = stack.settings["database.redis_url"].rstrip("/")
    server, _, last = redis.rpartition("/")
    return {
        names.REDIS: f"{server if last.isdigit() else redis}/{DATABASE}",
        names.WEAVIATE: stack.settings["database.weaviate_url"],
        names.GRPC: stack.settings["database.weaviate_grpc_url"],
        names.FOLDER: str(given.folder),
        names.MAX_TOKENS: str(given.max_tokens),
    }


def celery_server(python: Path, given: Assignment, folder: Path, told: Mapping[str, str]) -> Server:
    """A worker run by `python`, which has Celery installed; not started yet.

    Whether it is ready is for its client to see, which waits for a first job.
    """
    command = [
        *(str(python), "-m", "celery", "-A", APP, "worker"),
        *("--pool", "prefork", "--concurrency", str(given.threads), "--loglevel", "warning"),
        *("--without-gossip", "--without-mingle"),
    ]
    env = child_environment(threads=1) | dict(told)
    return Server("celery", command, env, folder, is_ready=lambda: True)
