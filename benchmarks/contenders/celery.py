"""The client of the Celery contender: jobs of 64 texts in, done when each is stored."""

import json
import os
import time
from typing import Protocol
from uuid import NAMESPACE_URL, uuid4, uuid5

import numpy as np

from benchmarks.contenders import celery_names as names
from benchmarks.contenders import celery_tasks
from benchmarks.contenders.speaking import Answer, Assignment, Told, Wanted, serve
from benchmarks.contenders.weaviate_door import connect, create, vectors_of

JOB_TEXTS = 64
LIMIT_S = 300.0


class Job(Protocol):
    """What is used of Celery's result of one job."""

    def get(self, timeout: float) -> int:
        """Wait for what the job returned."""


class Unfinished(Exception):
    """Not every text was stored."""


def submit(ids: list[str], texts: list[str]) -> list[Job]:
    """Queue jobs for all of these texts."""
    return [
        celery_tasks.app.send_task(
            names.TASK, [ids[start : start + JOB_TEXTS], texts[start : start + JOB_TEXTS]]
        )
        for start in range(0, len(texts), JOB_TEXTS)
    ]


def load(_given: Assignment) -> Answer:
    """Make the collection and wait until the worker has done a first job."""
    store = connect(os.environ[names.WEAVIATE], os.environ[names.GRPC])
    create(store)
    for job in submit([str(uuid4())], ["the first"]):
        job.get(timeout=LIMIT_S)

    def answer(line: bytes) -> Told:
        wanted = Wanted.model_validate_json(line)
        texts = json.loads(wanted.texts.read_bytes())
        run = uuid4()
        ids = [str(uuid5(NAMESPACE_URL, f"{run}/{number}")) for number in range(len(texts))]
        began_s = time.perf_counter()
        stored = sum(job.get(timeout=LIMIT_S) for job in submit(ids, texts))
        seconds = time.perf_counter() - began_s
        if stored != len(texts):
            raise Unfinished(f"{stored} of {len(texts)} texts stored")
        if wanted.vectors is not None:
            np.save(wanted.vectors, vectors_of(store, ids))
        return Told(seconds=seconds)

    return answer


if __name__ == "__main__":
    serve(load)
