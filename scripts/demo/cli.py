"""The demo from its first line to its last."""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence

import aiohttp
from rich.console import Console

from scripts.demo.docstrings import collect
from scripts.demo.showing import (
    answers_table,
    closing_lines,
    new_console,
    progress_on,
    summary_of,
)
from scripts.demo.submitting import Tally, tally, vectorize
from scripts.service_client import (
    Json,
    NotReachable,
    Refused,
    ServiceClient,
    addresses_for,
    api_key_for,
)
from scripts.supervisor.record import Addresses

INTERRUPTED = 130
HITS = 3
QUESTIONS = (
    "read a gzip file line by line",
    "parse command line arguments",
    "run a coroutine with a timeout",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; gives its exit code."""
    options = _parser().parse_args(arguments)
    try:
        return asyncio.run(_demo(options))
    except NotReachable as error:
        print(f"{error}; start it with `make run`", file=sys.stderr)
    except Refused as error:
        print(f"The service refused: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("interrupted; the tasks already submitted go on", file=sys.stderr)
        return INTERRUPTED
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.demo",
        description="Vectorizes the docstrings of Python's standard library, then searches them.",
    )
    parser.add_argument(
        "--base-url", help="the service (default: the one `make run` started, else port 8000)"
    )
    parser.add_argument("--api-key", help="the service's key, if it asks for one")
    parser.add_argument("--limit", type=_positive, help="take only this many docstrings")
    return parser


def _positive(given: str) -> int:
    number = int(given)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


async def _demo(options: argparse.Namespace) -> int:
    console, addresses = new_console(), addresses_for(options.base_url)
    api_key = api_key_for(options.base_url, options.api_key)
    async with aiohttp.ClientSession() as session:
        client = ServiceClient(session, addresses.url, api_key)
        await client.once("GET", "/livez")
        result = await _vectorize(client, console, options.limit)
        await _search(client, console)
    _close(console, addresses)
    return 1 if result.failed_items or result.failed_tasks else 0


async def _vectorize(client: ServiceClient, console: Console, limit: int | None) -> Tally:
    console.print("Reading the docstrings of Python's standard library …")
    texts = await asyncio.to_thread(collect, limit=limit)
    console.print(f"{len(texts):,} texts, each under its own name: a second run overwrites them.")
    began_s = time.monotonic()
    with progress_on(console, len(texts)) as show:
        tasks = await vectorize(client, texts, show)
    result = tally(tasks, len(texts), time.monotonic() - began_s)
    console.print(summary_of(result), markup=False)
    for task in tasks:
        if task["status"] != "completed" or task.get("failed_items"):
            why = f"task {task['task_id']} {task['status']}: {task.get('error')}"
            console.print(why, markup=False)
    return result


async def _search(client: ServiceClient, console: Console) -> None:
    answers = [(question, await _hits(client, question)) for question in QUESTIONS]
    console.print(answers_table(answers))


async def _hits(client: ServiceClient, question: str) -> list[Json]:
    answer = await client.ask("POST", "/search", {"query": question, "limit": HITS})
    return list(answer["hits"])


def _close(console: Console, addresses: Addresses) -> None:
    for line in closing_lines(addresses):
        console.print(line, markup=False, soft_wrap=True)
