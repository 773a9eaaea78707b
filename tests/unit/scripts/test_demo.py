"""The demo against a small fake service: batches, ids, progress, answers, addresses."""

import io
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestServer
from rich.console import Console

from scripts.demo.cli import main
from scripts.demo.docstrings import Docstring
from scripts.demo.showing import answers_table, closing_lines, first_line, pace_of, progress_on
from scripts.demo.submitting import Tally, batches, tally, task_body, vectorize
from scripts.service_client import Refused, ServiceClient
from scripts.supervisor.record import Addresses

TEXTS = [Docstring(f"module.name{number}", f"Text number {number}.") for number in range(2_100)]


@pytest.fixture
async def client(service: Any) -> AsyncIterator[ServiceClient]:
    async with TestServer(service.app()) as server, aiohttp.ClientSession() as session:
        yield ServiceClient(session, str(server.make_url("/")), patience_s=5)


def test_batches_hold_every_text_once() -> None:
    cut = batches(TEXTS)
    assert [len(batch) for batch in cut] == [1_000, 1_000, 100]
    assert [docstring for batch in cut for docstring in batch] == TEXTS


def test_a_task_names_each_item_so_that_a_second_run_overwrites() -> None:
    body = task_body(TEXTS[:2])
    assert body["item_ids"] == ["module.name0", "module.name1"]
    assert body["data"] == ["Text number 0.", "Text number 1."]
    assert body["metadata"]["source"] == "python-stdlib"


async def test_all_texts_are_submitted_and_followed_to_the_end(
    service: Any, client: ServiceClient
) -> None:
    shown: list[Tally] = []
    tasks = await vectorize(client, TEXTS, shown.append)
    assert [task["status"] for task in tasks] == ["completed"] * 3
    assert (shown[-1].stored_items, shown[-1].finished_tasks) == (2_100, 3)
    assert len(set(service.keys)) == 3


async def test_a_busy_service_is_asked_again_under_the_same_key(
    service: Any, client: ServiceClient
) -> None:
    service.busy_answers = 2
    tasks = await vectorize(client, TEXTS[:3], lambda _: None)
    assert len(tasks) == len(service.tasks) == 1


async def test_a_refusal_is_told_with_its_reason(client: ServiceClient) -> None:
    with pytest.raises(Refused, match=r"POST /tasks/submit: 422: data: wrong"):
        await client.ask("POST", "/tasks/submit", {"task_type": "batch_vectorization"})


def test_a_tally_adds_up_receipts_and_views() -> None:
    done = {"status": "completed", "completed_items": 8, "failed_items": 2, "truncated_items": 1}
    found = tally([{"status": "pending"}, done, {"status": "failed", "failed_items": 5}], 30, 3)
    assert (found.tasks, found.finished_tasks, found.failed_tasks) == (3, 2, 1)
    assert (found.decided_items, found.truncated_items) == (15, 1)
    assert (found.texts_per_s, found.eta_s) == (5, 3)
    assert pace_of(found) == "5 texts/s, ETA 3 s, 2/3 tasks done, 1 failed"


def test_a_tally_without_any_item_has_no_eta() -> None:
    found = tally([{"status": "pending"}], 30, 0)
    assert (found.texts_per_s, found.eta_s) == (0, None)
    assert pace_of(found) == "0 texts/s, ETA -, 0/1 tasks done"


@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "pipe"])
def test_progress_is_shown_on_a_terminal_and_in_a_pipe(terminal: bool) -> None:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=100)
    with progress_on(console, 10) as show:
        show(tally([{"status": "completed", "completed_items": 10}], 10, 2))
    assert "5 texts/s" in console.file.getvalue()  # type: ignore[attr-defined]  # a StringIO


def test_the_answers_show_a_docstrings_own_brackets() -> None:
    console = Console(file=io.StringIO(), width=110)
    hit = {"score": 0.5, "item": "a.b", "text": "\n Open. [bold]\nMore."}
    console.print(answers_table([("how?", [hit, {**hit, "score": None}])]))
    printed = console.file.getvalue()  # type: ignore[attr-defined]  # a StringIO
    assert "0.500" in printed
    assert "Open. [bold]" in printed
    assert "More." not in printed


def test_a_first_line_is_cut_for_the_table() -> None:
    assert first_line("\n\n  a  \nb") == "a"
    assert len(first_line("x" * 500)) == 60


def test_the_closing_lines_name_every_address() -> None:
    told = "\n".join(closing_lines(Addresses(url="http://h:1", metrics_url="http://h:2/metrics")))
    for url in ("http://h:1/health", "http://h:1/metrics", "http://h:2/metrics", "/openapi.json"):
        assert url in told
    assert "make stop" in told


def test_the_whole_demo_runs_against_a_service(
    service_url: str, service: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--base-url", service_url, "--limit", "1500"]) == 0
    said = capsys.readouterr().out
    assert "1,500 texts stored" in said
    assert "gzip.open" in said
    assert f"{service_url}/openapi.json" in said
    assert len(service.tasks) == 2
