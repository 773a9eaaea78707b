"""Manifests as they are written, and which of two is the newer."""

from typing import Any, cast

from models.manifests import Manifest
from streams.document_table import DocumentTable, version_of
from tests.unit.agents.fakes import FakeTable

MANIFEST = Manifest(submitted_ms=5, task_id="b", reading="r1", chunks=["x", "y"])


async def test_a_manifest_is_read_as_it_was_written_and_its_bytes_tell_its_version() -> None:
    table = FakeTable("documents", [])
    documents = DocumentTable(cast(Any, table))
    assert documents.stored(0, b"key") is None
    await (await documents.put(0, b"key", MANIFEST))
    assert documents.stored(0, b"key") == MANIFEST
    before = version_of(table.data[b"key"])
    await (await documents.put(0, b"key", MANIFEST.closed()))
    assert before == MANIFEST.version < version_of(table.data[b"key"])
