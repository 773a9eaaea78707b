"""The bad inputs that the test client sends, and how each must be refused."""

from dataclasses import dataclass

from scripts.checking import expect, expect_fields
from scripts.service_client import Answer, Body, Json

PROBLEM_FIELDS = {"type", "title", "status", "detail", "request_id"}


@dataclass(frozen=True, slots=True)
class BadInput:
    """A request that must be refused, with which status and which word in its reason."""

    name: str
    statuses: set[int]
    word: str
    body: Body = None
    method: str = "POST"
    path: str = "/tasks/submit"

    def examine(self, answer: Answer) -> None:
        """Raise CheckFailed where the refusal is not as it should be."""
        expect(
            holds=answer.status in self.statuses,
            otherwise=f"{self.name}: {answer.status}, not {sorted(self.statuses)}",
        )
        kind = answer.headers.get("Content-Type", "")
        expect(
            holds=kind.startswith("application/problem+json"),
            otherwise=f"{self.name}: not a problem document but {kind!r}",
        )
        expect_fields(answer.body, PROBLEM_FIELDS, f"{self.name}: the problem document")
        expect(
            holds=self.word in str(answer.body),
            otherwise=f"{self.name}: {answer.body['detail']!r} does not name {self.word!r}",
        )


def bad_inputs(finished_id: str) -> list[BadInput]:
    """Name every request that must be refused; one cancels the task `finished_id`."""

    def task(task_type: str = "text_vectorization", **fields: object) -> Json:
        return {"task_type": task_type, **fields}

    many = task("batch_vectorization", data=["a"] * 10_001)
    unknown, finished = "/tasks/no-such-task", f"/tasks/{finished_id}"
    return [
        BadInput("no JSON", {400}, "JSON", b"{not json"),
        BadInput("NaN", {400, 422}, "", b'{"task_type": "text_vectorization", "data": NaN}'),
        BadInput("data of a wrong type", {422}, "data", task(data=42)),
        BadInput("no data", {422}, "data", task()),
        BadInput("empty data", {422}, "data", task(data="")),
        BadInput("an empty list", {422}, "data", task("batch_vectorization", data=[])),
        BadInput("10,001 items", {413, 422}, "10000", many),
        BadInput("unknown task type", {422}, "task_type", task("painting", data="a")),
        BadInput("unknown model", {422}, "allowed", task(data="a", model_name="no/such")),
        BadInput("unknown task", {404}, "no-such-task", method="GET", path=unknown),
        BadInput("cancel of a finished task", {409}, "completed", method="DELETE", path=finished),
        BadInput("a wrong method", {405}, "", method="PUT"),
        BadInput("page 0", {422}, "page", method="GET", path="/tasks?page=0"),
    ]
