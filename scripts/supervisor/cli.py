"""The command line of the supervisor."""

import argparse
import asyncio
import logging.config
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from config.errors import SettingsError
from config.logging import configure_structlog, logging_config
from config.model import CHECKOUT, Settings
from config.names import CONFIG_VARIABLE, STACK_DIR_VARIABLE
from config.settings import load_settings
from scripts.supervisor.background import Background, Launch
from scripts.supervisor.children import Command
from scripts.supervisor.deciding import CONFIGURATION_EXIT
from scripts.supervisor.record import RUN_DIR, Addresses
from scripts.supervisor.supervising import Supervisor

INTERRUPTED = 130
DRAIN_MARGIN_S = 3.0
"""What a worker needs beside its work in flight; with the default 25 s it stays below the 30 s
that compose grants a container."""
STOP_MARGIN_S = 5.0
LOG_FORMAT_VARIABLE = "VECTORIZE_MASTER_SERVICE_LOG_FORMAT"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives its exit code."""
    options = _parser().parse_args(arguments)
    try:
        return _run(options)
    except SettingsError as error:
        print(f"vectorize: {error}", file=sys.stderr)
        return CONFIGURATION_EXIT
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="start_master.py",
        description="Runs `faust -A faust_app worker` and starts it again when it fails. "
        "VECTORIZE_ROLE picks its role; unset, it is every role in one process.",
    )
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument(
        "--detach", action="store_true", help="start in the background, return when it is ready"
    )
    choice.add_argument("--stop", action="store_true", help="end the one in the background")
    choice.add_argument(
        "--status", action="store_true", help="exit code 0 when the one in the background is ready"
    )
    return parser


def _run(options: argparse.Namespace) -> int:
    background = Background(RUN_DIR)
    if options.stop:
        return background.stop()
    if options.status:
        return background.status()
    settings = load_settings()
    if options.detach:
        return background.start(launch_of(settings, environment()))
    return run_in_foreground(settings)


def run_in_foreground(settings: Settings) -> int:
    """Supervise a worker until it is over."""
    configure_structlog()
    logging.config.dictConfig(logging_config(settings))
    return asyncio.run(_supervise(settings))


async def _supervise(settings: Settings) -> int:
    arguments = [sys.executable, "-m", "faust", "-A", "faust_app", "worker"]
    arguments += ["--loglevel", settings.service.log_level.lower()]
    command = Command(arguments, CHECKOUT, with_absolute_paths(environment()))
    return await Supervisor(command, drain_s=drain_s(settings)).run()


def drain_s(settings: Settings) -> float:
    """How long a worker may take to end."""
    return settings.service.shutdown_timeout_s + DRAIN_MARGIN_S


def launch_of(settings: Settings, environ: dict[str, str]) -> Launch:
    """The start in the background: this very program, its log as JSON lines."""
    silent = logging.getLevelNamesMapping()[settings.service.log_level] > logging.INFO
    return Launch(
        command=[sys.executable, str(CHECKOUT / "scripts" / "start_master.py")],
        environ=environ | {LOG_FORMAT_VARIABLE: "json"},
        role=settings.role,
        stop_limit_s=drain_s(settings) + STOP_MARGIN_S,
        expected=Addresses(url=f"http://127.0.0.1:{settings.service.port}") if silent else None,
    )


def with_absolute_paths(environ: dict[str, str]) -> dict[str, str]:
    """The environment for a worker in the checkout: paths given from here mean the same there."""
    given = [name for name in (CONFIG_VARIABLE, STACK_DIR_VARIABLE) if environ.get(name)]
    return environ | {name: str(Path(environ[name]).expanduser().absolute()) for name in given}


def environment() -> dict[str, str]:
    """A copy of this process's environment, for the processes it starts."""
    return dict(os.environ)  # noqa: TID251  (children get their settings by environment)
