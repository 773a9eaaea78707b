"""Calls to the store under the blobs, whatever it is: bounded in time, with errors of one kind."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from obstore.exceptions import BaseError
from obstore.store import ObjectStore, from_url

from stores.blob_errors import BlobsUnavailable, KeyMissing, reason_of

SETTING = "document.blob_url"
ROOM_SETTING = "document.blob_min_free_bytes"
SCHEMES = ("file", "s3", "gs", "az", "memory")
RETRIES = 1  # of obstore itself, which would try for three minutes; policy is the caller's

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class BlobOptions:
    """Where blobs are kept (settings document.blob_*)."""

    url: str = field(repr=False)  # may hold a secret
    prefix: str = "blobs"
    timeout_s: float = 60.0  # for one call of the store; a part of a stream is a call
    min_free_bytes: int = 0  # of a folder's disk; a bucket has no end that could be asked for


class BlobCalls:
    """An opened store; `folder` is where it lies, if it lies in this file system."""

    def __init__(self, options: BlobOptions) -> None:
        """Open it; raises ValueError naming the setting where that cannot be."""
        self.store = _open(options)
        self.folder = _folder_of(options.url)
        self._limit_s = options.timeout_s
        self._min_free_bytes = options.min_free_bytes

    def check_room(self) -> None:
        """Raise BlobsUnavailable where the folder's disk is nearly full: others write there, too.

        What is there can still be read and deleted.
        """
        if self.folder is None or not self._min_free_bytes:
            return
        free = shutil.disk_usage(self.folder).free
        if free < self._min_free_bytes:
            raise BlobsUnavailable(
                f"the blob store's disk has {free} bytes left, under the {self._min_free_bytes} of "
                f"{ROOM_SETTING}; old blobs go by age (document.blob_extra_hours)"
            )

    async def ask(self, work: Callable[[], Awaitable[_T]]) -> _T:
        """Do one call; raises KeyMissing, or BlobsUnavailable for all else."""
        try:
            async with asyncio.timeout(self._limit_s):
                return await work()
        except FileNotFoundError as error:
            raise KeyMissing(_sentence(error)) from None
        except (BaseError, OSError, ValueError) as error:  # TimeoutError is an OSError
            # `from None`: the store's own words may hold a signed URL.
            raise BlobsUnavailable(_sentence(error)) from None


def _sentence(error: Exception) -> str:
    return f"the blob store (setting {SETTING}) failed: {reason_of(error)}"


def _folder_of(url: str) -> Path | None:
    parts = urlsplit(url)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


def _open(options: BlobOptions) -> ObjectStore:
    scheme = options.url.partition("://")[0]
    if scheme not in SCHEMES:
        allowed = ", ".join(f"{name}://" for name in SCHEMES)
        raise ValueError(f"{SETTING}: must start with one of {allowed}")
    try:
        return _opened(scheme, options)
    except (BaseError, OSError, ValueError) as error:
        raise ValueError(f"{SETTING}: cannot be opened: {reason_of(error)}") from None


def _opened(scheme: str, options: BlobOptions) -> ObjectStore:
    if scheme == "file":
        return from_url(options.url, mkdir=True)
    if scheme == "memory":
        return from_url("memory:///")
    limit = timedelta(seconds=options.timeout_s)
    return from_url(
        options.url,
        client_options={"timeout": limit},
        retry_config={"max_retries": RETRIES, "retry_timeout": limit},
    )
