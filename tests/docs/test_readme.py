"""Every block of README.md runs on the real stack and answers as the page shows."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from config.model import Settings
from config.names import ROLE_VARIABLE, settings_by_variable
from embedding.catalog import load_catalog
from models.errors import VectorizeError
from models.states import ItemErrorCode, TaskState, TaskType
from models.tasks import TaskRequest
from tests.docs.blocks import Block, blocks_of
from tests.docs.conftest import ROOT, Running, await_ready, ended, own_ports
from tests.docs.likeness import assert_alike
from web.documentation import operations
from web.errors import RULES
from web.limits import WebLimits
from web.validating import RESERVED

EXTENDING = ROOT / "docs" / "extending.md"
README, CHINESE = ROOT / "README.md", ROOT / "README.zh-CN.md"
BLOCKS = blocks_of(README)
RUN = [block for block in BLOCKS if block.is_run and not block.stays]
STAYING = [block for block in BLOCKS if block.is_run and block.stays]
NOT_RUN = [block for block in BLOCKS if block.mark == "not run"]
BLOCK_S = 120.0
ANNOUNCED_S = 60.0
#: Why a compose command is not run here, and what stands for it.
DOCKER = re.compile(r"docker-compose (?:up|logs)(?: -d)?((?: [\w-]+)+)$")


def name_of(block: Block) -> str:
    return f"line {block.line}"


@pytest.mark.integration
@pytest.mark.timeout(900)
def test_every_block_answers_what_the_readme_shows(service: Running) -> None:
    """One test for all: the blocks are pasted from top to bottom, later ones need earlier ones."""
    for block in RUN:
        code = service.moved(block.code)
        program = ["bash", "-euo", "pipefail", "-c"]
        if block.language == "python":
            program = [sys.executable, "-c"]
        ran = subprocess.run(
            [*program, code],
            cwd=ROOT,
            env=service.env,
            capture_output=True,
            text=True,
            timeout=BLOCK_S,
            check=False,
        )
        where = f"{README.name}, {name_of(block)}"
        assert ran.returncode == 0, f"{where}: {ran.stderr[-2000:]}"
        if block.answer is not None:
            try:
                assert_alike(block.answer.language, block.answer.code, ran.stdout)
            except (AssertionError, ValueError) as error:
                pytest.fail(f"{where}: {error}\nprinted: {ran.stdout[:3000]}")


@pytest.mark.integration
@pytest.mark.timeout(600)
@pytest.mark.parametrize("block", STAYING, ids=lambda block: block.code.strip()[:30])
def test_a_worker_that_the_readme_starts_serves_and_ends_in_good_order(
    block: Block, service: Running, tmp_path: Path
) -> None:
    env, web, _ = own_ports(service.env, tmp_path)
    log = tmp_path / "log"
    with log.open("wb") as out:
        # `exec`: the worker itself gets the signal, not the shell around it.
        code = re.sub(r"(?=\.venv/bin/faust)", "exec ", block.code, count=1)
        process = subprocess.Popen(["bash", "-c", code], cwd=ROOT, env=env, stdout=out, stderr=out)
    try:
        await_ready(f"http://127.0.0.1:{web}/readyz", process, log)
        began_s = time.monotonic()
        assert ended(process) == 0, log.read_text()[-3000:]
        assert time.monotonic() - began_s < Settings().service.shutdown_timeout_s + 5
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


@pytest.mark.integration
@pytest.mark.timeout(600)
def test_another_system_reads_the_results(service: Running) -> None:
    """The consumer of docs/extending.md. It stands here because it adds a task to the service."""
    (reader,) = (block for block in blocks_of(EXTENDING) if "AIOKafkaConsumer" in block.code)
    told = subprocess.run(
        [
            *["curl", "-s", "-X", "POST", f"{service.web}/tasks/submit?wait=30", "-d"],
            '{"task_type": "text_vectorization", "task_id": "told-1", "data": "Tell others."}',
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert '"completed"' in told.stdout
    with subprocess.Popen(
        [sys.executable, "-c", service.moved(reader.code)], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            until_s = time.monotonic() + ANNOUNCED_S
            lines = iter(process.stdout.readline, "")
            seen = next(line for line in lines if "told-1" in line or time.monotonic() > until_s)
            assert seen == "vectorize.task.completed told-1 1\n"
        finally:
            process.terminate()


def test_a_block_that_is_not_run_says_why() -> None:
    assert NOT_RUN
    assert [name_of(block) for block in NOT_RUN if not block.reason] == []


def test_every_make_target_of_the_readme_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z][a-z-]*)", README.read_text()))
    assert named
    assert named <= targets


def test_every_compose_command_names_services_that_exist() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    lines = [line for block in NOT_RUN for line in block.code.splitlines() if "docker" in line]
    assert lines
    for line in lines:
        match = DOCKER.match(line)
        assert match, line
        assert set(match[1].split()) <= set(services), line


def test_every_program_that_is_not_run_exists() -> None:
    named = {name for block in NOT_RUN for name in re.findall(r"[\w/]+\.py", block.code)} | set(
        re.findall(r"`python (scripts/\w+\.py)`", README.read_text())
    )
    assert named
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []


def test_both_readmes_have_the_same_blocks() -> None:
    ours = [(block.language, block.code, block.answer, block.mark) for block in _unplaced(README)]
    theirs = [
        (block.language, block.code, block.answer, block.mark) for block in _unplaced(CHINESE)
    ]
    # The picture has words in it, so only its presence is compared.
    assert [one[0] for one in ours] == [one[0] for one in theirs]
    same = [(a, b) for a, b in zip(ours, theirs, strict=True) if a[0] != "mermaid"]
    assert all(one == other for one, other in same)


def _unplaced(page: Path) -> list[Block]:
    """The page's blocks without their line numbers."""
    return [
        Block(
            block.language,
            block.code,
            0,
            block.mark,
            answer=block.answer and Block(block.answer.language, block.answer.code, 0),
        )
        for block in blocks_of(page)
    ]


def test_both_readmes_have_the_same_headings_and_tables() -> None:
    ours, theirs = (_outline(page) for page in (README, CHINESE))
    assert ours == theirs


def _outline(page: Path) -> list[str]:
    """The kinds of lines that give a page its shape, outside its blocks."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    kinds = {"#": "heading", "|": "row", "-": "bullet", "1": "number"}
    lines = [line for line in text.splitlines() if line]
    return [
        f"{kinds.get(line[0], 'number')} {len(line) - len(line.lstrip('#'))}"
        for line in lines
        if line[0] in kinds or re.match(r"\d+\. ", line)
    ]


@pytest.mark.parametrize("page", [README, CHINESE], ids=lambda page: page.name)
def test_the_readme_names_all_there_is(page: Path) -> None:
    """Fields, task types, states, error codes, problem types."""
    text = page.read_text()
    fields = set(TaskRequest.model_fields) - RESERVED
    problems = {rule.name for kind, rule in RULES.items() if _is_answered(kind)}
    words = {*fields, *TaskType, *TaskState, *ItemErrorCode, *problems}
    assert sorted(word for word in words if f"`{word}`" not in text) == []


def _is_answered(kind: type[VectorizeError]) -> bool:
    """Leave out the classes that only group others, or that no request meets."""
    unseen = {"WrongState", "Unavailable", "NewerRecord", "HandedBack", "StartRefused"}
    return kind.__name__ not in unseen


@pytest.mark.parametrize("page", [README, CHINESE], ids=lambda page: page.name)
def test_every_route_is_asked_in_the_readme(page: Path) -> None:
    asked = "\n".join(block.code for block in blocks_of(page) if block.is_run)
    paths = [operation.path for operation in operations(WebLimits()) if operation.tag != "peers"]
    for path in paths:
        pattern = re.sub(r"\\?\{\w+\\?\}", '[^/?" ]+', re.escape(path))
        assert re.search(rf"localhost:8000{pattern}[?\" \n]", asked), path


@pytest.mark.parametrize("page", [README, CHINESE], ids=lambda page: page.name)
def test_every_setting_of_the_readme_exists_and_its_limits_are_the_defaults(page: Path) -> None:
    text, known = page.read_text(), {*settings_by_variable(), ROLE_VARIABLE}
    named = set(re.findall(r"\bVECTORIZE_[A-Z_]+\b", text)) - {"VECTORIZE_MASTER_"}
    assert named
    assert named <= known
    defaults = Settings()
    rows = re.findall(r"^\|[^|]*\| ([\d,]+)[^|]*\| `([a-z]+\.[a-z_]+)` \|$", text, re.MULTILINE)
    assert len(rows) > 8
    for shown, path in rows:
        assert float(shown.replace(",", "")) == defaults.value_of(path), path


def test_the_limit_of_tokens_is_the_default_models() -> None:
    defaults = Settings()
    catalog = load_catalog(defaults.models_path, defaults.task.default_model)
    assert f"({catalog.resolve(None).max_tokens} " in README.read_text()
