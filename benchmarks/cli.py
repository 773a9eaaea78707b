"""The benchmarks from the first line to the last."""

import argparse
import asyncio
import multiprocessing
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from benchmarks import encoding, latency, pipeline, rest, submits
from benchmarks.bench import Bench
from benchmarks.figures import Section
from benchmarks.machine import CHECKOUT, commit, this_machine
from benchmarks.plan import DEFAULT, QUICK, Plan
from benchmarks.report import Report, publish, save, show
from scripts.stack import StackError, start_stack, stop_stack

INTERRUPTED = 130
WIDTH = 150
RESULTS = CHECKOUT / "benchmarks" / "results"
PAGE = CHECKOUT / "docs" / "benchmarks.md"
#: How the time of a run is shared out.
SHARES = {
    submits.NAME: 0.4,
    pipeline.NAME: 0.2,
    encoding.NAME: 0.15,
    latency.NAME: 0.2,
    rest.NAME: 0.05,
}
SECTIONS = {each.NAME: each for each in (submits, pipeline, encoding, latency, rest)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; gives the exit code: 1 where something could not be measured."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends what it started, like Ctrl-C
    try:
        report = _measured(options)
    except KeyboardInterrupt:
        _say("interrupted; all that was started is ended")
        return INTERRUPTED
    except StackError as error:
        _say(str(error))
        return 1
    _tell(report, options)
    return 1 if any(each.skipped or each.faults for each in report.sections) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measures the service on a stack of its own; ends all it started.",
    )
    parser.add_argument("--quick", action="store_true", help="short rounds, about 1.5 minutes")
    parser.add_argument(
        "--only", action="append", choices=list(SECTIONS), help="measure only this (repeatable)"
    )
    parser.add_argument(
        "--publish", action="store_true", help="put the figures into docs/benchmarks.md too"
    )
    parser.add_argument(
        "--results", type=Path, default=RESULTS, help="folder of the JSON (default: %(default)s)"
    )
    return parser


def _measured(options: argparse.Namespace) -> Report:
    plan = QUICK if options.quick else DEFAULT
    names = [name for name in SECTIONS if not options.only or name in options.only]
    at, machine, began_s = datetime.now(UTC), this_machine(), time.monotonic()
    with _bench(plan) as bench:
        sections = asyncio.run(_sections(bench, names, began_s))
    return Report(
        at=at,
        commit=commit(),
        form=plan.form,
        took_s=round(time.monotonic() - began_s, 1),
        machine=machine,
        sections=sections,
    )


@contextmanager
def _bench(plan: Plan) -> Iterator[Bench]:
    """A stack and helpers of our own, ended whatever happens."""
    spawning = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="vectorize-bench-") as name:
        folder = Path(name)
        try:
            stack = start_stack(folder / "stack", ephemeral=True, say=_say)
            with (
                ProcessPoolExecutor(1, mp_context=spawning) as client,
                ProcessPoolExecutor(1, mp_context=spawning) as peer,
            ):
                yield Bench(stack, folder, plan, client, peer, _say)
        finally:
            stop_stack(folder / "stack", say=_say)


Measure = Callable[[Bench], Awaitable[Section]]


async def _sections(bench: Bench, names: Sequence[str], began_s: float) -> list[Section]:
    """One after the other, each with its share of the time and what those before it left over."""
    sections, share = [], 0.0
    for name in names:
        share += SHARES[name] / sum(SHARES[each] for each in names)
        deadline_s = began_s + share * bench.plan.budget_s
        sections.append(await _section(replace(bench, deadline_s=deadline_s), name))
    return sections


async def _section(bench: Bench, name: str) -> Section:
    """Measure one section; what fails is said and does not end the others."""
    measure: Measure = SECTIONS[name].measure
    title, began_s = SECTIONS[name].TITLE, time.monotonic()
    bench.say(title)
    try:
        section = await measure(bench)
    except Exception as error:  # noqa: BLE001  # a section that fails is part of the report
        bench.say(f"  failed: {error!r}")
        return Section(name=name, title=title, skipped=f"{type(error).__name__}: {error}")
    fewest = min(len(series.rounds) for series in section.series)
    short = f"out of time after {fewest} of {bench.plan.rounds} rounds"
    faults = section.faults + ([short] if fewest < bench.plan.rounds else [])
    took_s = round(time.monotonic() - began_s, 1)
    return section.model_copy(update={"took_s": took_s, "faults": faults})


def _tell(report: Report, options: argparse.Namespace) -> None:
    """Show, keep, and where it was asked for publish."""
    terminal = Console(highlight=False)
    show(report, terminal if terminal.is_terminal else Console(highlight=False, width=WIDTH))
    for series in report.missed:
        print(f"Missed: {series.name} ({series.unit}); see what binds it above.")
    print(f"All rounds: {save(report, options.results)}")
    if options.publish:
        publish(report, PAGE)
        print(f"Published in {PAGE}")


def _say(line: str) -> None:
    """Progress, on stderr."""
    print(line, file=sys.stderr, flush=True)
