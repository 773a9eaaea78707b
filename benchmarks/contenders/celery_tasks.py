"""The Celery app of the contender: a job encodes 64 texts and stores them in Weaviate.

Run as `celery -A benchmarks.contenders.celery_tasks worker`; where its servers are comes by
environment. Each process of the worker has a model and a connection of its own.
"""

import os
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.contenders import celery_names as names
from benchmarks.contenders.plain import loaded
from benchmarks.contenders.weaviate_door import COLLECTION, connect

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from weaviate import WeaviateClient

celery = import_module("celery")  # of the contender's own environment
app = celery.Celery("bench", broker=os.environ[names.REDIS], backend=os.environ[names.REDIS])


class NotStored(Exception):
    """Weaviate refused objects: a speed would mean nothing."""


def encode_and_store(ids: list[str], texts: list[str]) -> int:
    """Encode `texts`, store each under its id; give how many. Raises NotStored."""
    from weaviate.classes.data import DataObject  # noqa: PLC0415  # only the worker pays

    vectors = model().encode(texts, show_progress_bar=False, normalize_embeddings=True)
    answer = (
        client()
        .collections.use(COLLECTION)
        .data.insert_many(
            [
                DataObject(properties={"text": text}, uuid=each, vector=vector.tolist())
                for each, text, vector in zip(ids, texts, vectors, strict=True)
            ]
        )
    )
    if answer.has_errors:
        raise NotStored(f"{len(answer.errors)} of {len(texts)} objects")
    return len(texts)


@cache
def model() -> "SentenceTransformer":
    """This process's model, with one thread: Celery has a process a core."""
    return loaded(Path(os.environ[names.FOLDER]), int(os.environ[names.MAX_TOKENS]), threads=1)


@cache
def client() -> "WeaviateClient":
    """This process's connection."""
    return connect(os.environ[names.WEAVIATE], os.environ[names.GRPC])


def prepare(**_told: object) -> None:
    """Load everything before the first job."""
    model()
    client()


app.task(name=names.TASK)(encode_and_store)
import_module("celery.signals").worker_process_init.connect(prepare, weak=False)
