"""What lies in Kafka and Weaviate, read beside the service."""

from collections import Counter
from collections.abc import Mapping

import orjson

from scripts.stack import StackState
from stores.weaviate_schema import class_name
from tests.harness import Log
from tests.harness.weaviate import weaviate_client


def stored_items(stack: StackState, collection: str) -> Counter[tuple[str, str]]:
    """Count the objects of each (task, item) in a collection, one by one."""
    with weaviate_client(stack) as client:
        objects = client.collections.use(class_name(collection)).with_tenant("default")
        found = objects.iterator(return_properties=["task", "item"], cache_size=1000)
        return Counter(
            (str(each.properties["task"]), str(each.properties["item"])) for each in found
        )


def assert_stored_once(stack: StackState, collection: str, tasks: Mapping[str, int]) -> None:
    """Each item of each task stands in Weaviate exactly once, and nothing else does."""
    found = stored_items(stack, collection)
    wanted = {(task, f"{task}/{index}") for task, count in tasks.items() for index in range(count)}
    missing, foreign = wanted - found.keys(), found.keys() - wanted
    assert not missing, f"{len(missing)} items are not in Weaviate, such as {sorted(missing)[:3]}"
    assert not foreign, f"{len(foreign)} objects nobody submitted, such as {sorted(foreign)[:3]}"
    twice = {item: count for item, count in found.items() if count > 1}
    assert not twice, f"stored more than once: {list(twice.items())[:3]}"
    assert sum(found.values()) == sum(tasks.values())


class Changelog(Log):
    """The changelog of the table `tasks`, which is named as Faust names it."""

    def topic(self, name: str) -> str:
        return f"{self.prefix}-master-{name}-changelog"


async def announced(stack: StackState, prefix: str) -> Counter[str]:
    """How often each task was announced on the public results topic."""
    found = await Log(stack, prefix).records("results")
    return Counter(str(orjson.loads(record.value)["task_id"]) for record in found)


def stored_texts(stack: StackState, collection: str) -> list[str]:
    """The text of each object of a collection."""
    with weaviate_client(stack) as client:
        objects = client.collections.use(class_name(collection)).with_tenant("default")
        found = objects.iterator(return_properties=["text"], cache_size=1000)
        return [str(each.properties["text"]) for each in found]
