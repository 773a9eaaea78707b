"""Puts the parts of the Weaviate store together; importing this loads the client."""

from dataclasses import dataclass

from stores.weaviate_chunks import ChunkReader
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
    chunks: ChunkReader


def assemble(options: WeaviateOptions) -> WeaviateParts:
    """Build the parts; connects nowhere."""
    connection = Connection(options)
    writer = ObjectWriter(connection, Schema(connection, options), options)
    reader, chunks = ObjectReader(connection, options), ChunkReader(connection, options)
    return WeaviateParts(connection, writer, reader, chunks)
