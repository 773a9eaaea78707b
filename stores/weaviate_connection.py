"""The one connection to Weaviate: made at the first call, made again after an outage."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

import weaviate
from weaviate import WeaviateAsyncClient
from weaviate.auth import AuthApiKey
from weaviate.config import AdditionalConfig, GrpcConfig, Timeout

from models.errors import VectorStoreUnavailable
from stores.tcp_knock import knock
from stores.weaviate_errors import CallRefused, PlaceMissing, translated
from stores.weaviate_options import Address, WeaviateOptions

#: How long a call may be silent before we look whether anybody listens there: after an outage
#: the client itself would first sleep 1, 2, 4 … seconds.
SILENCE_S = 0.5
KNOCK_S = 1.0
_CHANNEL = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),  # its default of 120 s outlasts most outages
    ("grpc.enable_http_proxy", 0),
]

_T = TypeVar("_T")


class Connection:
    """Calls the client and turns its errors into three (`weaviate_errors.translated`)."""

    def __init__(self, options: WeaviateOptions) -> None:
        self._options = options
        self._client: WeaviateAsyncClient | None = None
        self._connecting = asyncio.Lock()
        # The client logs whole objects, texts included, when one is refused.
        logging.getLogger("weaviate-client").setLevel(logging.CRITICAL)

    async def call(
        self, work: Callable[[WeaviateAsyncClient], Awaitable[_T]], *, limit_s: float
    ) -> _T:
        """Do `work` within `limit_s`.

        Raises VectorStoreUnavailable, PlaceMissing or CallRefused.
        """
        try:
            async with asyncio.timeout(limit_s):
                client = await self._connected()
                return await self._watched(work(client))
        except (VectorStoreUnavailable, PlaceMissing, CallRefused):
            raise  # `work` found it itself: its words are ours
        except TimeoutError as error:
            await self._drop()  # a half-open connection would time out for minutes
            reason = f"Weaviate did not answer within {limit_s:g} s"
            raise VectorStoreUnavailable(reason) from error
        except Exception as error:
            raise translated(error) from error

    async def close(self) -> None:
        """Let go of the connection; never raises."""
        await self._drop()

    async def _connected(self) -> WeaviateAsyncClient:
        async with self._connecting:
            if self._client is None:
                self._client = await _connect(self._options)
            return self._client

    async def _watched(self, work: Awaitable[_T]) -> _T:
        """Await `work`; give it up as soon as nobody listens at the other end."""
        task = asyncio.ensure_future(work)
        try:
            while not (await asyncio.wait({task}, timeout=SILENCE_S))[0]:
                if await is_shut(self._options.grpc) or await is_shut(self._options.http):
                    raise VectorStoreUnavailable
            if task.cancelled():
                raise VectorStoreUnavailable("the connection to Weaviate was dropped meanwhile")
            return task.result()
        finally:
            task.cancel()

    async def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with suppress(Exception):
                await client.close()


async def is_shut(address: Address) -> bool:
    """Tell whether connections to `address` are refused; a slow or silent one counts as open."""
    try:
        async with asyncio.timeout(KNOCK_S):
            await knock(address.host, address.port)
    except TimeoutError:
        return False
    except OSError:
        return True
    return False


async def _connect(options: WeaviateOptions) -> WeaviateAsyncClient:
    client = _new_client(options)
    try:
        await client.connect()
    except BaseException:
        with suppress(Exception):
            await client.close()
        raise
    return client


def _new_client(options: WeaviateOptions) -> WeaviateAsyncClient:
    timeout = Timeout(init=2, query=options.query_timeout_s, insert=options.write_timeout_s)
    return weaviate.use_async_with_custom(
        http_host=options.http.host,
        http_port=options.http.port,
        http_secure=options.http.secure,
        grpc_host=options.grpc.host,
        grpc_port=options.grpc.port,
        grpc_secure=options.grpc.secure,
        auth_credentials=AuthApiKey(options.api_key) if options.api_key else None,
        skip_init_checks=True,
        additional_config=AdditionalConfig(
            timeout=timeout, grpc_config=GrpcConfig(channel_options=_CHANNEL)
        ),
    )
