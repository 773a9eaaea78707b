"""The benchmarks from the first line to the last."""

import argparse
import asyncio
import multiprocessing
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from benchmarks.bench import Bench
from benchmarks.charts import draw
from benchmarks.figures import Section
from benchmarks.machine import CHECKOUT, commit, this_machine
from benchmarks.parts import PARTS, named, page_of
from benchmarks.plan import DEFAULT, QUICK, Plan
from benchmarks.report import PAGES, Report, publish, save, show
from scripts.stack import StackError, StackState, start_stack, stop_stack

INTERRUPTED = 130
WRONG_USE = 2
WIDTH = 150
RESULTS = CHECKOUT / "benchmarks" / "results"
PAGE = CHECKOUT / "docs" / "benchmarks.md"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; gives the exit code: 1 where something could not be measured."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends what it started, like Ctrl-C
    try:
        report = _measured(options, named(options.only))
    except KeyboardInterrupt:
        _say("interrupted; all that was started is ended")
        return INTERRUPTED
    except ValueError as error:
        _say(str(error))
        return WRONG_USE
    except StackError as error:
        _say(str(error))
        return 1
    _tell(report, options)
    return 1 if any(_failed(each) for each in report.sections) else 0


def _failed(section: Section) -> bool:
    """Whether something was not measured that this machine could measure."""
    return bool(section.faults or (section.skipped and not section.lacking))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measures the service on a stack of its own; ends all it started.",
    )
    parser.add_argument("--quick", action="store_true", help="short rounds, rougher figures")
    parser.add_argument(
        "--only",
        action="append",
        metavar="PART[,PART]",
        help=f"measure only this (repeatable): {', '.join(PARTS)}",
    )
    parser.add_argument(
        "--texts",
        type=int,
        metavar="N",
        help="texts of the part memory (default: 200,000; quick: 4,000)",
    )
    parser.add_argument(
        "--publish", action="store_true", help="put the figures into docs/benchmarks.md too"
    )
    parser.add_argument(
        "--results", type=Path, default=RESULTS, help="folder of JSON and chart (%(default)s)"
    )
    return parser


def _measured(options: argparse.Namespace, names: Sequence[str]) -> Report:
    plan = QUICK if options.quick else DEFAULT
    if options.texts:
        plan = replace(plan, memory_texts=options.texts)
    at, machine, began_s = datetime.now(UTC), this_machine(), time.monotonic()
    with _bench(plan, servers=any(PARTS[name].servers for name in names)) as bench:
        sections = asyncio.run(_sections(bench, names))
    return Report(
        at=at,
        commit=commit(),
        form=plan.form,
        took_s=round(time.monotonic() - began_s, 1),
        machine=machine,
        sections=sections,
    )


@contextmanager
def _bench(plan: Plan, *, servers: bool) -> Iterator[Bench]:
    """A stack, where one is needed, and processes of our own, ended whatever happens."""
    spawning = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="vectorize-bench-") as name:
        folder = Path(name)
        with (
            _stack(folder / "stack", servers=servers) as stack,
            ProcessPoolExecutor(1, mp_context=spawning) as client,
            ProcessPoolExecutor(1, mp_context=spawning) as peer,
        ):
            yield Bench(stack, folder, plan, client, peer, _say)


@contextmanager
def _stack(folder: Path, *, servers: bool) -> Iterator[StackState]:
    """Servers of our own; without `servers` a stack that has none."""
    if not servers:
        yield StackState(directory=folder, ephemeral=True)
        return
    try:
        yield start_stack(folder, ephemeral=True, say=_say)
    finally:
        stop_stack(folder, say=_say)


async def _sections(bench: Bench, names: Sequence[str]) -> list[Section]:
    """One after the other, each with its own time and what those before it left over."""
    sections, deadline_s = [], time.monotonic()
    for name in names:
        deadline_s += PARTS[name].seconds * bench.plan.time
        sections.append(await _section(replace(bench, deadline_s=deadline_s), name))
    return sections


async def _section(bench: Bench, name: str) -> Section:
    """Measure one section; what fails is said and does not end the others."""
    part, began_s = PARTS[name], time.monotonic()
    bench.say(part.title)
    try:
        section = await part.measure(bench)
    except Exception as error:  # noqa: BLE001  # a section that fails is part of the report
        bench.say(f"  failed: {error!r}")
        return Section(name=name, title=part.title, skipped=f"{type(error).__name__}: {error}")
    took_s = round(time.monotonic() - began_s, 1)
    faults = [*section.faults, *_shortfalls(section, bench.plan)]
    return section.model_copy(update={"took_s": took_s, "faults": faults})


def _shortfalls(section: Section, plan: Plan) -> list[str]:
    """Whether time ran out before all rounds were measured."""
    wanted = section.wanted_rounds or plan.rounds
    fewest = min((len(series.rounds) for series in section.series), default=wanted)
    return [f"out of time after {fewest} of {wanted} rounds"] if fewest < wanted else []


def _tell(report: Report, options: argparse.Namespace) -> None:
    """Show, keep, and where it was asked for publish."""
    terminal = Console(highlight=False)
    show(report, terminal if terminal.is_terminal else Console(highlight=False, width=WIDTH))
    for series in report.missed:
        print(f"Missed: {series.name} ({series.unit}); see what binds it above.")
    print(f"All rounds: {save(report, options.results)}")
    chart = options.results / report.chart_name
    chart.write_text(draw(report), encoding="utf-8")
    print(f"Chart: {chart}")
    if options.publish:
        for place in PAGES:
            _publish(report, place, chart)
        print(f"Published in {PAGE}")


def _publish(report: Report, place: str, chart: Path) -> None:
    """Publish the parts of one table, where the run has any.

    What this machine lacks leaves the figures of one that has it.
    """
    sections = [each for each in report.sections if page_of(each) == place and not each.lacking]
    if sections:
        publish(report.model_copy(update={"sections": sections}), PAGE, place, chart)


def _say(line: str) -> None:
    """Progress, on stderr."""
    print(line, file=sys.stderr, flush=True)
