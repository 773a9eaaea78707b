"""The documents of a folder: found, submitted under their own ids, followed to the end."""

import asyncio
import os
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.demo.submitting import FINAL, WAIT_S
from scripts.service_client import Json, Refused, ServiceClient

#: What the service reads; anything else in the folder is left out.
ENDINGS = frozenset(
    {".pdf", ".docx", ".pptx", ".xlsx", ".xls", ".ods", ".odt", ".epub", ".eml"}
    | {".html", ".htm", ".xhtml", ".md", ".markdown", ".rst", ".txt"}
    | {".csv", ".json", ".ndjson", ".jsonl"}
)
#: Files without an ending that say what they are.
NAMES = frozenset({"README", "LICENSE", "NEWS", "CHANGES", "TODO", "HISTORY", "AUTHORS"})
#: In base64 they fit into a request of 8 MiB.
LARGEST_BYTES = 6_000_000
AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Found:
    """A document of the folder."""

    path: Path
    name: str
    """Its path below the folder: its id, so that a second run embeds only what changed."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the folder is."""

    files: int
    done: int
    failed: int
    chunks: int
    kept: int
    elapsed_s: float


Show = Callable[[Progress], None]


def documents_in(folder: Path, limit: int) -> list[Found]:
    """The first `limit` documents below `folder`, in the order of their paths."""
    return sorted(_found(folder), key=lambda found: found.name)[:limit]


def _found(folder: Path) -> Iterator[Found]:
    for parent, below, names in os.walk(folder):  # follows no links to folders
        below[:] = [name for name in below if not name.startswith(".")]
        for name in names:
            path = Path(parent) / name
            if _is_document(path) and path.is_file() and 0 < path.stat().st_size <= LARGEST_BYTES:
                yield Found(path, path.relative_to(folder).as_posix())


def _is_document(path: Path) -> bool:
    return path.suffix.lower() in ENDINGS or path.name in NAMES


def task_of(found: Found, content: bytes, collection: str | None) -> Json:
    """The task of one document."""
    return {
        "task_type": "document_vectorization",
        "data": b64encode(content).decode(),
        "document_id": found.name[-256:],
        "filename": found.path.name[-255:],
        "metadata": {"source": "folder"},
        **({} if collection is None else {"collection": collection}),
    }


def progress_of(views: Sequence[Mapping[str, object]], files: int, elapsed_s: float) -> Progress:
    """What the tasks' own answers add up to."""
    states = [str(view.get("status")) for view in views]
    return Progress(
        files=files,
        done=sum(state in FINAL for state in states),
        failed=sum(state in FINAL - {"completed"} for state in states),
        chunks=sum(int(str(view.get("completed_items") or 0)) for view in views),
        kept=sum(_kept(view) for view in views),
        elapsed_s=elapsed_s,
    )


def _kept(view: Mapping[str, object]) -> int:
    document = view.get("document")
    return int(document.get("kept_items", 0)) if isinstance(document, dict) else 0


async def index(
    client: ServiceClient, files: Sequence[Found], collection: str | None, show: Show
) -> dict[str, Json]:
    """Submit all documents and follow them to the end; the finished tasks by document."""
    began_s, views, turns = time.monotonic(), dict[str, Json](), asyncio.Semaphore(AT_ONCE)

    async def one(found: Found) -> None:
        async with turns:
            views[found.name] = await _followed(client, found, collection)
        show(progress_of(list(views.values()), len(files), time.monotonic() - began_s))

    await asyncio.gather(*map(one, files))
    return views


async def _followed(client: ServiceClient, found: Found, collection: str | None) -> Json:
    """One document to its end; a refusal is its end, too."""
    try:
        content = await asyncio.to_thread(found.path.read_bytes)
        view = await client.ask("POST", "/tasks/submit", task_of(found, content, collection))
    except OSError as error:
        return {"status": "failed", "error": f"the file cannot be read: {error.strerror}"}
    except Refused as error:
        return {"status": "failed", "error": str(error)}
    while view["status"] not in FINAL:
        view = await client.ask("GET", f"/tasks/{view['task_id']}?wait={WAIT_S}")
    return view


def reasons_of(views: Mapping[str, Mapping[str, object]]) -> list[tuple[str, int, str]]:
    """Why documents failed, the most frequent first: reason, how many, one of them."""
    failed = {name: str(v.get("error")) for name, v in views.items() if v["status"] != "completed"}
    example = {reason: name for name, reason in reversed(failed.items())}
    counted = Counter(failed.values()).most_common()
    return [(reason, count, example[reason]) for reason, count in counted]
