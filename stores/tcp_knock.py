"""Knocking at a TCP door: whether anybody listens there."""

import asyncio


async def knock(host: str, port: int) -> None:
    """Connect and hang up; raises OSError where nobody listens. The caller bounds the time."""
    _, writer = await asyncio.open_connection(host, port)
    writer.close()
    await writer.wait_closed()
