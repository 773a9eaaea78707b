"""What the demo shows: progress while it runs, answers and addresses at its end."""

import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from urllib.parse import urlsplit

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from scripts.demo.submitting import Show, Tally
from scripts.service_client import METRICS_PORT, Json
from scripts.supervisor.record import Addresses

PLAIN_WIDTH = 110
PLAIN_EVERY_S = 5.0
LONGEST_LINE = 60
QUERY = '{"query": "sort a list", "limit": 3}'


def new_console() -> Console:
    """stdout: in colours on a terminal, as plain lines elsewhere."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=PLAIN_WIDTH)


@contextmanager
def progress_on(console: Console, total: int) -> Generator[Show, None, None]:
    """Where to show progress: a bar on a terminal, a line every few seconds elsewhere."""
    if not console.is_terminal:
        yield _PlainProgress(console).show
        return
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console) as bar:
        shown = bar.add_task("submitting", total=total)
        yield lambda t: bar.update(shown, completed=t.decided_items, description=pace_of(t))


class PlainLines:
    """Progress as lines, few enough to read."""

    def __init__(self, console: Console) -> None:
        """Print to `console`."""
        self._console = console
        self._shown_s = 0.0

    def show(self, line: str, *, over: bool) -> None:
        """Print a line, unless the last one is fresh and this is not the end."""
        if over or time.monotonic() - self._shown_s >= PLAIN_EVERY_S:
            self._console.print(line, markup=False)
            self._shown_s = time.monotonic()


class _PlainProgress:
    """A tally as lines."""

    def __init__(self, console: Console) -> None:
        self._lines = PlainLines(console)

    def show(self, tally: Tally) -> None:
        """Print it now and then."""
        line = f"{tally.decided_items}/{tally.items} texts, {pace_of(tally)}"
        self._lines.show(line, over=tally.decided_items == tally.items)


def pace_of(tally: Tally) -> str:
    """Speed, time left, and the tasks that are done."""
    eta = "-" if tally.eta_s is None else f"{tally.eta_s:.0f} s"
    failed = f", {tally.failed_tasks} failed" if tally.failed_tasks else ""
    done = f"{tally.finished_tasks}/{tally.tasks} tasks done{failed}"
    return f"{tally.texts_per_s:.0f} texts/s, ETA {eta}, {done}"


def summary_of(tally: Tally) -> str:
    """The whole run in one line."""
    return (
        f"{tally.stored_items:,} texts stored in {tally.elapsed_s:.1f} s = "
        f"{tally.texts_per_s:.0f} texts/s; {tally.truncated_items} cut at the model's limit, "
        f"{tally.failed_items} failed"
    )


def answers_table(answers: Sequence[tuple[str, list[Json]]]) -> Table:
    """The hits of each question."""
    table = Table("Question", "Score", "Item", "Its first line", title="Search")
    for question, hits in answers:
        for number, hit in enumerate(hits):
            table.add_row(*_row(question if number == 0 else "", hit))
        table.add_section()
    return table


def _row(question: str, hit: Json) -> tuple[Text, ...]:
    """A hit; `Text`, because a docstring may hold what rich takes for its own markup."""
    score = "-" if hit.get("score") is None else f"{hit['score']:.3f}"
    cells = (question, score, str(hit.get("item")), first_line(str(hit.get("text") or "")))
    return tuple(Text(cell) for cell in cells)


def first_line(text: str) -> str:
    """The first line with anything in it, short enough for a table."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= LONGEST_LINE else line[: LONGEST_LINE - 1] + "…"


def closing_lines(addresses: Addresses) -> list[str]:
    """Where everything is, and how to end it."""
    url = addresses.url
    host = urlsplit(url).hostname or "localhost"
    metrics_url = addresses.metrics_url or f"http://{host}:{METRICS_PORT}/metrics"
    return [
        "The service goes on running:",
        f"  API         {url}/tasks",
        f"  Health      {url}/health",
        f"  Metrics     {url}/metrics",
        f"  Prometheus  {metrics_url}",
        f"  OpenAPI     {url}/openapi.json",
        f"Ask it yourself:  curl -s {url}/search -d '{QUERY}'",
        "End it, and the stack:  make stop",
    ]
