"""`python -m scripts.demo.folder_cli DIR`: index the documents of a folder, then search them."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import aiohttp
from rich.console import Console
from rich.table import Table
from rich.text import Text

from scripts.demo.cli import INTERRUPTED
from scripts.demo.folder import Found, Progress, documents_in, index, reasons_of
from scripts.demo.showing import PlainLines, first_line, new_console
from scripts.service_client import (
    Json,
    NotReachable,
    Refused,
    ServiceClient,
    addresses_for,
    api_key_for,
)

HITS = 3
QUESTIONS = ("how do I install it", "how is a bug reported", "what may be done with the code")
MOST_REASONS = 5


def main(arguments: Sequence[str] | None = None) -> int:
    """Index and search; gives the exit code."""
    options = _parser().parse_args(arguments)
    try:
        return asyncio.run(_run(options))
    except NotReachable as error:
        print(f"{error}; start it with `make run`", file=sys.stderr)
    except Refused as error:
        print(f"The service refused: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("interrupted; the documents already submitted go on", file=sys.stderr)
        return INTERRUPTED
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make demo-docs DIR=…", description="Indexes the documents of a folder."
    )
    parser.add_argument("folder", type=_folder, help="where the documents are")
    parser.add_argument("--limit", type=int, default=200, help="most documents (%(default)s)")
    parser.add_argument("--ask", action="append", help="a question (repeatable)")
    parser.add_argument("--collection", help="where to store them (default: the model's)")
    parser.add_argument("--base-url", help="the service (default: the one `make run` started)")
    parser.add_argument("--api-key", help="the service's key, if it asks for one")
    return parser


def _folder(given: str) -> Path:
    folder = Path(given).expanduser()
    if not given or not folder.is_dir():
        raise argparse.ArgumentTypeError(f"{given or 'nothing'} is no folder: make demo-docs DIR=…")
    return folder


async def _run(options: argparse.Namespace) -> int:
    console, addresses = new_console(), addresses_for(options.base_url)
    files = documents_in(options.folder, options.limit)
    if not files:
        console.print(f"No documents in {options.folder}.", markup=False)
        return 1
    api_key = api_key_for(options.base_url, options.api_key)
    async with aiohttp.ClientSession() as session:
        client = ServiceClient(session, addresses.url, api_key)
        await client.once("GET", "/livez")
        await _index(client, console, files, options)
        for question in options.ask or QUESTIONS:
            console.print(await _answers(client, question, options.collection))
    return 0


async def _index(
    client: ServiceClient, console: Console, files: Sequence[Found], options: argparse.Namespace
) -> None:
    console.print(f"{len(files)} documents, each under its path: a second run embeds what changed.")
    lines, last = PlainLines(console), [_none(len(files))]

    def show(progress: Progress) -> None:
        last[0] = progress
        lines.show(_line(progress), over=progress.done == progress.files)

    views = await index(client, files, options.collection, show)
    for reason, count, name in reasons_of(views)[:MOST_REASONS]:
        console.print(f"  {count} not read, such as {name}: {reason}", markup=False)


def _none(files: int) -> Progress:
    return Progress(files=files, done=0, failed=0, chunks=0, kept=0, elapsed_s=0.0)


def _line(progress: Progress) -> str:
    pace = progress.done / progress.elapsed_s if progress.elapsed_s else 0.0
    return (
        f"{progress.done}/{progress.files} documents, {pace:.1f}/s, {progress.chunks} chunks, "
        f"{progress.kept} of them kept, {progress.failed} not read"
    )


async def _answers(client: ServiceClient, question: str, collection: str | None) -> Table:
    asked: Json = {"query": question, "limit": HITS, "filter": {"source": "folder"}}
    if collection is not None:
        asked["collection"] = collection
    hits = (await client.ask("POST", "/search", asked))["hits"]
    table = Table("Score", "Document", "Where", "Its first line", title=Text(question))
    for hit in hits:
        shown = first_line(str(hit["text"]))
        cells = (f"{hit['score']:.3f}", str(hit.get("document_id")), where_of(hit), shown)
        table.add_row(*map(Text, cells))
    return table


def where_of(hit: Json) -> str:
    """Page, sheet and headings of a hit, as a person would say it."""
    place = hit.get("place") or {}
    page = f"page {place['page']}" if place.get("page") else ""
    return " > ".join(
        part for part in (page, place.get("sheet"), *place.get("headings", [])) if part
    )


if __name__ == "__main__":
    sys.exit(main())
