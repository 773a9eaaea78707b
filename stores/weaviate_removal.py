"""Removing all objects that a filter finds, however many a call removes."""

from weaviate.outputs.query import FilterReturn

from models.vectors import Space
from stores.vector_store import VectorStoreBusy
from stores.weaviate_connection import Connection
from stores.weaviate_errors import CallRefused, PlaceMissing
from stores.weaviate_options import WeaviateOptions
from stores.weaviate_schema import class_name


class Removal:
    """Removes objects of one tenant by a filter."""

    def __init__(self, connection: Connection, options: WeaviateOptions) -> None:
        self._connection = connection
        self._limit_s = options.write_timeout_s

    async def all_of(self, space: Space, where: FilterReturn, whose: str) -> int:
        """Remove all that `where` finds; a place that nobody wrote to holds nothing.

        Raises VectorStoreUnavailable; it is a VectorStoreBusy, which names `whose` objects they
        were, where Weaviate answered.
        """
        removed = 0
        try:
            # Weaviate removes a bounded number a call.
            while batch := await self._some_of(space, where, whose):
                removed += batch
        except PlaceMissing:
            return removed
        except CallRefused as error:
            raise VectorStoreBusy(f"Weaviate did not delete: {error}") from error
        return removed

    async def _some_of(self, space: Space, where: FilterReturn, whose: str) -> int:
        done = await self._connection.call(
            lambda client: (
                client.collections.use(class_name(space.collection))
                .with_tenant(space.tenant)
                .data.delete_many(where=where)
            ),
            limit_s=self._limit_s,
        )
        if done.failed:
            raise VectorStoreBusy(f"Weaviate kept {done.failed} objects of {whose}")
        return done.successful
