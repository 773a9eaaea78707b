"""Puts the parts of the Weaviate store together; importing this loads the client."""

from dataclasses import dataclass

from stores.weaviate_connection import Connection
from stores.weaviate_options import WeaviateOptions
from stores.weaviate_reading import ObjectReader
from stores.weaviate_schema import Schema
from stores.weaviate_writing import ObjectWriter


@dataclass(frozen=True, slots=True)
class WeaviateParts:
    """What the store is made of, around one connection."""

    connection: Connection
    writer: ObjectWriter
    reader: ObjectReader


def assemble(options: WeaviateOptions) -> WeaviateParts:
    """Build the parts; connects nowhere."""
    connection = Connection(options)
    writer = ObjectWriter(connection, Schema(connection, options), options)
    return WeaviateParts(connection, writer, ObjectReader(connection, options))
