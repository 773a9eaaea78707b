"""Bodies that do not arrive: given up in time, and the room that they held is there again."""

import asyncio
from dataclasses import replace
from typing import Any

import orjson
import pytest

from tests.unit.web.fakes import LIMITS

SUBMIT = "/tasks/submit"
SLOW = "urn:vectorize:problem:body-too-slow"
FORM = "multipart/form-data; boundary=B"
PART = b'--B\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'


async def answer_to_silence(
    site: Any, path: str, begun: bytes, *, length: int = 1000, kind: str = "application/json"
) -> tuple[int, Any]:
    """Say that `length` bytes come, send `begun`, and wait for what the service makes of it."""
    reader, writer = await asyncio.open_connection(site.client.host, site.client.port)
    try:
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n"
        writer.write(f"{head}Content-Length: {length}\r\n\r\n".encode() + begun)
        async with asyncio.timeout(5):
            top = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            size = int(top.partition("content-length: ")[2].partition("\r\n")[0])
            body = await reader.readexactly(size)
    finally:
        writer.close()
    assert "connection: close" in top
    return int(top.split()[1]), orjson.loads(body)


@pytest.mark.parametrize("path", [SUBMIT, "/tasks/batch", "/search"])
async def test_a_body_that_does_not_arrive_is_given_up(make_site: Any, path: str) -> None:
    site = await make_site(replace(LIMITS, body_timeout_s=0.05))
    status, told = await answer_to_silence(site, path, b'{"task')
    assert (status, told["type"]) == (408, SLOW)
    assert (told["limit"], told["setting"]) == (0.05, "service.body_timeout_s")
    assert await site.submit()


@pytest.mark.parametrize(
    "begun", [b"", PART, PART + b"half of a file"], ids=["nothing", "a part's head", "half a file"]
)
async def test_an_upload_that_stops_is_given_up_wherever_it_does(
    make_site: Any, begun: bytes
) -> None:
    site = await make_site(replace(LIMITS, body_timeout_s=0.05))
    status, told = await answer_to_silence(site, "/tasks/upload", begun, kind=FORM)
    assert (status, told["type"]) == (408, SLOW)


async def test_what_one_held_of_the_room_for_bodies_is_there_again(make_site: Any) -> None:
    site = await make_site(replace(LIMITS, body_timeout_s=0.05, max_in_flight_bytes=3000))
    assert (await answer_to_silence(site, SUBMIT, b"{", length=2800))[0] == 408
    task = {"task_type": "text_vectorization", "data": "x" * 400}
    assert (await site.post(SUBMIT, task)).status == 202
