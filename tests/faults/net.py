"""The network between the service and its servers, which can be harmed: a proxy a port."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from scripts.stack import StackState, advertise, start_service, stop_service
from scripts.stack.recipes import RECIPES
from tests.faults.mischief import Mischief
from tests.faults.proxy import HOST, FaultProxy

#: The ports of each server that the service talks to.
PORTS = {"kafka": ("main",), "redis": ("main",), "weaviate": ("main", "grpc")}


@dataclass(frozen=True, slots=True)
class Net:
    """The proxies before each server, by its name and its port's."""

    proxies: Mapping[str, Mapping[str, FaultProxy]]

    def harm(self, server: str, mischief: Mischief) -> None:
        """Do this to all that passes to and from a server, from now on."""
        for proxy in self.proxies[server].values():
            proxy.set(mischief)

    def heal(self, server: str) -> None:
        """Forward plainly again."""
        for proxy in self.proxies[server].values():
            proxy.heal()

    def before(self, stack: StackState) -> StackState:
        """The same stack as one sees it through the proxies."""
        for name, proxies in self.proxies.items():
            ports = {port: proxy.port for port, proxy in proxies.items()}
            settings = RECIPES[name].settings(ports)
            server = stack.server(name).model_copy(update={"settings": settings})
            stack = stack.with_server(server)
        return stack


@asynccontextmanager
async def proxied(stack: StackState, dice: random.Random) -> AsyncIterator[Net]:
    """Put proxies before all servers; Kafka is started anew, to name its proxy to its clients."""
    async with AsyncExitStack() as opened:
        proxies: dict[str, dict[str, FaultProxy]] = {name: {} for name in PORTS}
        for name, ports in PORTS.items():
            for port in ports:
                target = stack.server(name).ports[port]
                proxy = FaultProxy(HOST, target, dice=random.Random(dice.random()))
                proxies[name][port] = await opened.enter_async_context(proxy)
        await asyncio.to_thread(_advertise_kafka, stack, proxies["kafka"]["main"].port)
        yield Net(proxies)


def _advertise_kafka(stack: StackState, port: int) -> None:
    advertise(stack.directory, "kafka", port)
    stop_service(stack.directory, "kafka")
    start_service(stack.directory, "kafka")
