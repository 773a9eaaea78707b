"""Redis, a cache here: in memory only, bounded, loopback only."""

from pathlib import Path

from scripts.stack import tools
from scripts.stack.progress import Say
from scripts.stack.readiness import redis_answers
from scripts.stack.recipe import Launch, Ports, Recipe, clean_environment


def _prepare(folder: Path, ports: Ports, say: Say) -> Launch:
    options = {
        "bind": "127.0.0.1",
        "port": str(ports["main"]),
        "save": "",
        "appendonly": "no",
        "daemonize": "no",
        "maxmemory": "512mb",
        "maxmemory-policy": "allkeys-lru",
        "dir": str(folder),
    }
    flags = [part for name, value in options.items() for part in (f"--{name}", value)]
    return Launch([tools.redis_server(say), *flags], clean_environment())


def _url(ports: Ports) -> str:
    return f"redis://127.0.0.1:{ports['main']}/0"


RECIPE = Recipe(
    ports={"main": 6379},
    prepare=_prepare,
    answers=lambda ports: redis_answers(ports["main"]),
    url=_url,
    settings=lambda ports: {"database.redis_url": _url(ports)},
    settings_when_off={"database.redis_url": ""},
    start_limit_s=15,
    stop_limit_s=5,
)
