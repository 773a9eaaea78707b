"""Weaviate beside the service, as any other client of it."""

import weaviate
from weaviate.config import AdditionalConfig, Timeout

from scripts.stack import StackState


def weaviate_client(stack: StackState) -> weaviate.WeaviateClient:
    """A connected client of the stack's Weaviate; `with` closes it."""
    host, port = stack.settings["database.weaviate_url"].removeprefix("http://").split(":")
    grpc_host, grpc_port = stack.settings["database.weaviate_grpc_url"].split(":")
    return weaviate.connect_to_custom(
        http_host=host,
        http_port=int(port),
        http_secure=False,
        grpc_host=grpc_host,
        grpc_port=int(grpc_port),
        grpc_secure=False,
        additional_config=AdditionalConfig(timeout=Timeout(init=30, query=60)),
    )
