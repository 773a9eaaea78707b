"""The command line: results on stdout, everything else on stderr."""

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from scripts.stack.errors import ServerFailed, StackError
from scripts.stack.lifecycle import start_stack, stop_stack
from scripts.stack.places import STACK_DIR_VARIABLE, environment, new_ephemeral_dir, stack_dir
from scripts.stack.progress import say_to_stderr
from scripts.stack.state import VARIABLES, StackState, environment_of, export_lines, load_state
from scripts.stack.status import ServerStatus, stack_status

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code."""
    options = _parser().parse_args(arguments)
    commands = {"up": _up, "down": _down, "status": _status}
    try:
        return commands[options.command](options)
    except StackError as error:
        say_to_stderr(str(error))
        return 1
    except KeyboardInterrupt:
        say_to_stderr("interrupted")
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.stack",
        description="The local stack: Kafka, Redis and Weaviate as real servers, without Docker.",
        epilog=f"The stack lives in .stack/, or in ${STACK_DIR_VARIABLE} where that is set.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="up|down|status")
    up = commands.add_parser("up", help="start what does not run, and wait until it answers")
    up.add_argument(
        "--ephemeral",
        action="store_true",
        help="a new stack in a temporary folder, on free ports; `down` deletes it",
    )
    form = up.add_mutually_exclusive_group()
    form.add_argument("--env", action="store_true", help="print only `export` lines to eval")
    form.add_argument("--json", action="store_true", help="print the stack's state.json")
    commands.add_parser("down", help="end the servers of this stack")
    status = commands.add_parser("status", help="exit code 0 when all servers run, else 1")
    status.add_argument("--json", action="store_true", help="print a JSON object")
    return parser


def _up(options: argparse.Namespace) -> int:
    if options.ephemeral:
        state = _start_ephemeral(new_ephemeral_dir())
    else:
        state = start_stack(stack_dir(environment()), say=say_to_stderr)
    if options.json:
        print(state.model_dump_json(indent=2))
    elif options.env:
        print("\n".join(export_lines(environment_of(state))))
    else:
        print(_summary(state))
    return 0


def _start_ephemeral(directory: Path) -> StackState:
    """Starts it; on failure only the logs are left, and those only where they say something."""
    try:
        return start_stack(directory, ephemeral=True, say=say_to_stderr)
    except ServerFailed:
        raise
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise


def _summary(state: StackState) -> str:
    lines = [f"The stack in {state.directory} is up:"]
    lines += [f"  {key} = {value or '(off)'}" for key, value in state.settings.items()]
    if state.ephemeral:
        line = f"  {STACK_DIR_VARIABLE}={state.directory} python -m scripts.stack down"
        lines += ["End and delete it with:", line]
    return "\n".join(lines)


def _down(_options: argparse.Namespace) -> int:
    environ = environment()
    directory = stack_dir(environ)
    state = load_state(directory)
    stop_stack(directory, say=say_to_stderr)
    if state and state.ephemeral and STACK_DIR_VARIABLE in environ:
        say_to_stderr(f"this shell still points at it: unset {_pointing(environ)}")
    return 0


def _pointing(environ: dict[str, str]) -> str:
    return " ".join(name for name in (*VARIABLES.values(), STACK_DIR_VARIABLE) if name in environ)


def _status(options: argparse.Namespace) -> int:
    directory = stack_dir(environment())
    servers = stack_status(directory)
    running = bool(servers) and all(server.condition == "running" for server in servers)
    if options.json:
        print(_as_json(directory, servers, running=running))
    else:
        print(_table(servers) if servers else f"no stack in {directory}; `up` starts one")
    sys.stdout.flush()
    return 0 if running else 1


def _as_json(directory: Path, servers: list[ServerStatus], *, running: bool) -> str:
    listed = [server.model_dump(mode="json") for server in servers]
    found = {"directory": str(directory), "running": running, "servers": listed}
    return json.dumps(found, indent=2)


def _table(servers: list[ServerStatus]) -> str:
    rows = [("SERVER", "STATE", "PID", "MEMORY", "URL", "LOG"), *map(_row, servers)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _row(server: ServerStatus) -> tuple[str, ...]:
    memory = f"{server.memory_bytes / 2**20:.0f} MiB" if server.memory_bytes else "-"
    where = server.why_off or str(server.log)
    return (server.name, server.condition, str(server.pid or "-"), memory, server.url or "-", where)
