"""`POST /tasks/upload`: files as they are, each streamed into the blob store, a task each."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath, PureWindowsPath

from aiohttp import BodyPartReader, MultipartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from models.blob_refs import BlobRef
from models.errors import (
    BlobStoreUnavailable,
    BodyTooLarge,
    BodyTooSlow,
    InvalidRequest,
    LimitExceeded,
    MalformedMultipart,
    VectorizeError,
)
from models.states import TaskType
from models.strict_json import load_strict
from stores.blob_errors import BlobsUnavailable, BlobTooLarge
from web.answers import json_answer
from web.bodies import TIME_SETTING
from web.errors import problem_answer
from web.limits import WebLimits
from web.ports import Blobs
from web.submitting import Submitted
from web.task_manager import TaskManager
from web.tasks import batch_slot, idempotency_key, of_all, traceparent

FILE, TASK = "file", "task"
PIECE_BYTES = 65_536
LONGEST_TASK_BYTES = 65_536
LONGEST_NAME = 255
#: What a file may be.
FILE_TYPES = frozenset({TaskType.DOCUMENT, TaskType.IMAGE})
_BROKEN = (
    *(ValueError, RuntimeError, HttpProcessingError, web.RequestPayloadError, AssertionError),
    OSError,
)
#: How a part may be written: as it is.
PLAIN = frozenset({"", "7bit", "8bit", "binary"})


@dataclass(slots=True)
class Upload:
    """What came in one request."""

    files: list[tuple[str | None, BlobRef | VectorizeError]] = field(default_factory=list)
    """Name and blob of each file, or why it is none."""
    task: dict[str, object] = field(default_factory=dict)
    """The fields of each task."""
    told: bool = False
    """Whether those came."""

    def raw_tasks(self, key: str | None) -> list[object]:
        """The bodies of the tasks of the files that are blobs, in their order.

        `key` gives each the key `key#place`, by its place among all files: a file that is sent
        again in a better state does not change the keys of others.
        """
        return [
            {
                "filename": name,
                "task_type": TaskType.DOCUMENT,
                **({} if key is None else {"idempotency_key": f"{key}#{at}"}),
                **self.task,
                "data": str(blob),
            }
            for at, (name, blob) in enumerate(self.files)
            if isinstance(blob, BlobRef)
        ]


class Uploader:
    """Reads a multipart body part by part; no file is ever whole in memory."""

    def __init__(self, blobs: Blobs, limits: WebLimits) -> None:
        """Keep files in `blobs`."""
        self._blobs = blobs
        self._limits = limits

    async def read(self, request: web.Request) -> Upload:
        """Read all parts; raise InvalidRequest, BodyTooLarge, BodyTooSlow, BlobStoreUnavailable."""
        if request.content_type != "multipart/form-data":
            reason = "must be multipart/form-data, with a part `file` for each file"
            raise InvalidRequest(field="Content-Type", reason=reason, given=request.content_type)
        told, limit = request.content_length, self._limits.max_upload_bytes
        if told is not None and told > limit:
            raise BodyTooLarge(limit=limit, given=told, setting="document.max_upload_bytes")
        try:
            return await self._parts(await request.multipart())
        except TimeoutError as error:
            raise BodyTooSlow(limit_s=self._limits.body_timeout_s, setting=TIME_SETTING) from error
        except _BROKEN as error:
            raise MalformedMultipart from error

    async def _parts(self, reader: MultipartReader) -> Upload:
        upload, idle_s = Upload(), self._limits.body_timeout_s
        budget = _Budget(self._limits.max_upload_bytes, idle_s)
        while (part := await asyncio.wait_for(reader.next(), idle_s)) is not None:
            if not isinstance(part, BodyPartReader) or part.name not in {FILE, TASK}:
                named = getattr(part, "name", None) or "a part without a name"
                reason = f"unknown part; there are: {FILE} (one a file), {TASK} (JSON)"
                raise InvalidRequest(field=str(named)[:100], reason=reason)
            _check_plain(part)
            if part.name == TASK:
                if upload.told:
                    raise InvalidRequest(field=TASK, reason="stands twice; send it once")
                upload.told, upload.task = True, await self._task(part, budget)
            else:
                upload.files.append((_name_of(part), await self._file(part, budget)))
            self._check_count(len(upload.files))
        self._check(upload)
        return upload

    async def _file(self, part: BodyPartReader, budget: "_Budget") -> BlobRef | VectorizeError:
        limit = self._limits.task.max_file_bytes
        left = budget.left
        try:
            return await self._blobs.put_stream(budget.pieces(part), limit)
        except BlobsUnavailable as error:
            raise BlobStoreUnavailable(error.message) from error
        except BlobTooLarge:
            async for _ in budget.pieces(part):  # the next part begins behind it
                pass
            return LimitExceeded(
                field=FILE,
                what="the file's size in bytes",
                limit=limit,
                given=left - budget.left,
                setting="document.max_file_bytes",
            )

    async def _task(self, part: BodyPartReader, budget: "_Budget") -> dict[str, object]:
        raw = b""
        async for piece in budget.pieces(part):
            raw += piece
            if len(raw) > LONGEST_TASK_BYTES:
                reason = f"has more than {LONGEST_TASK_BYTES} bytes"
                raise InvalidRequest(field=TASK, reason=reason)
        task = load_strict(raw, max_depth=self._limits.task.max_json_depth)
        if not isinstance(task, dict):
            raise InvalidRequest(field=TASK, reason="is a JSON object with the fields of a task")
        if "data" in task:
            raise InvalidRequest(field=f"{TASK}.data", reason="follows from the file")
        kind = task.get("task_type", TaskType.DOCUMENT)
        if not isinstance(kind, str) or kind not in FILE_TYPES:
            reason = f"a file is one of {', '.join(sorted(FILE_TYPES))}"
            raise InvalidRequest(field=f"{TASK}.task_type", reason=reason)
        return task

    def _check_count(self, files: int) -> None:
        limit = self._limits.max_batch_tasks
        if files > limit:
            raise LimitExceeded(
                field=FILE,
                what="the number of files",
                limit=limit,
                given=files,
                setting="task.max_batch_tasks",
            )

    def _check(self, upload: Upload) -> None:
        if not upload.files:
            raise InvalidRequest(field=FILE, reason="there is no part of this name; send a file")
        for name in ("document_id", "task_id", "item_ids", "filename", "idempotency_key"):
            if len(upload.files) > 1 and name in upload.task:
                raise InvalidRequest(field=f"{TASK}.{name}", reason="names one file, not several")


class _Budget:
    """How many bytes all parts of a request may have together, and how long each piece may take."""

    def __init__(self, limit: int, idle_s: float) -> None:
        self._limit = limit
        self._idle_s = idle_s
        self.left = limit
        """What may still come."""

    async def pieces(self, part: BodyPartReader) -> AsyncIterator[bytes]:
        """The content of a part, piece by piece; raises BodyTooLarge and TimeoutError."""
        while True:
            async with asyncio.timeout(self._idle_s):
                piece = await part.read_chunk(PIECE_BYTES)
            if not piece:
                return
            self.left -= len(piece)
            if self.left < 0:
                setting = "document.max_upload_bytes"
                raise BodyTooLarge(limit=self._limit, given=None, setting=setting)
            yield bytes(piece)


def _check_plain(part: BodyPartReader) -> None:
    """Refuse a part that would have to be decoded: nobody who sends files writes them so."""
    packed = part.headers.get("Content-Encoding", "identity")
    written = part.headers.get("Content-Transfer-Encoding", "").lower()
    if packed != "identity" or written not in PLAIN:
        reason = "must come as it is, without Content-Encoding or Content-Transfer-Encoding"
        raise InvalidRequest(field=str(part.name), reason=reason)


def _name_of(part: BodyPartReader) -> str | None:
    """The bare name of a file, never a path."""
    given = part.filename or ""
    name = PureWindowsPath(PurePosixPath(given).name).name
    shown = "".join(letter for letter in name if letter.isprintable())[:LONGEST_NAME].strip()
    return shown or None


def upload_routes(tasks: TaskManager, blobs: Blobs, limits: WebLimits) -> list[web.RouteDef]:
    """`POST /tasks/upload`."""
    uploader = Uploader(blobs, limits)

    async def upload(request: web.Request) -> web.Response:
        key, trace = idempotency_key(request), traceparent(request)
        tasks.submitter.check_room()  # before a file is kept for nothing
        found = await uploader.read(request)
        raw = found.raw_tasks(key)
        submitted = iter(
            await tasks.submit_many({"tasks": raw}, key=None, traceparent=trace) if raw else ()
        )
        outcomes = [
            (name, next(submitted) if isinstance(blob, BlobRef) else blob)
            for name, blob in found.files
        ]
        return _answer(request, outcomes)

    return [web.post("/tasks/upload", upload)]


def _answer(
    request: web.Request, outcomes: list[tuple[str | None, Submitted | VectorizeError]]
) -> web.Response:
    slots = [
        {**batch_slot(request, at, outcome), "filename": name}
        for at, (name, outcome) in enumerate(outcomes)
    ]
    refused = [outcome for _, outcome in outcomes if isinstance(outcome, VectorizeError)]
    if len(refused) == len(outcomes):
        return problem_answer(request, of_all(refused), tasks=slots)
    accepted = len(outcomes) - len(refused)
    return json_answer({"tasks": slots, "accepted": accepted, "refused": len(refused)}, status=202)
