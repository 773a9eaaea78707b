"""Texts as one task through the service, from its submit until every vector is in Weaviate."""

import base64
import http.client
from collections.abc import Callable

import numpy as np
import orjson

from benchmarks.bench import Bench, batch_task
from benchmarks.figures import Round
from benchmarks.load import Answered, Load
from benchmarks.log import Results, Unfinished
from benchmarks.services import Service
from benchmarks.usage import CpuWatch
from models.vectors import Vector

#: Most items that one page of a result has.
PAGE_ITEMS = 500


class ThroughService:
    """One task a round."""

    def __init__(
        self,
        bench: Bench,
        service: Service,
        results: Results,
        texts_of: Callable[[int], list[str]],
        *,
        name: str,
    ) -> None:
        """Submit `texts_of(number)` to `service` in round `number`, await them on `results`."""
        self.name = name
        self.task_ids: dict[int, str] = {}
        self._bench = bench
        self._texts_of = texts_of
        self._service = service
        self._results = results

    async def measure(self, number: int) -> Round:
        """Submit the texts of round `number` and wait; raise Unfinished."""
        texts = self._texts_of(number)
        watch = CpuWatch(self._bench.pids(self._service))
        watch.start()
        answered = await self._submit(texts)
        [task_id] = [orjson.loads(answer)["task_id"] for answer in answered.answers]
        [found] = await self._results.next(1)
        if (found.task_id, found.status, found.stored) != (task_id, "completed", len(texts)):
            raise Unfinished(f"not the task, or not all of it: {found}")
        self.task_ids[number] = task_id
        seconds = found.seen_s - answered.began_s
        cores = watch.cores(client=answered.cpu_s)
        return Round(value=len(texts) / seconds, seconds=seconds, work=len(texts), cores=cores)

    async def _submit(self, texts: list[str]) -> Answered:
        load = Load(self._service.port, "/tasks/submit", [batch_task(texts)], connections=1)
        return await self._bench.load(load)

    def vectors(self, number: int, count: int) -> Vector:
        """The first `count` vectors of a round, at most 500, as the service gives them back."""
        connection = http.client.HTTPConnection("127.0.0.1", self._service.port, timeout=30)
        try:
            query = f"limit={min(count, PAGE_ITEMS)}&encoding=base64"
            connection.request("GET", f"/tasks/{self.task_ids[number]}/result?{query}")
            items = orjson.loads(connection.getresponse().read())["items"]
        finally:
            connection.close()
        rows = [np.frombuffer(base64.b64decode(item["vector"]), dtype="<f4") for item in items]
        return np.stack(rows)
