"""The service in the background: started once, awaited, ended; its failures are told."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.settings import Settings
from scripts.stack.processes import is_alive, kill
from scripts.supervisor.background import Background, Launch
from scripts.supervisor.cli import LOG_FORMAT_VARIABLE, launch_of, with_absolute_paths
from scripts.supervisor.log_lines import LogTail, addresses_of, event_of
from scripts.supervisor.probing import reasons_not_ready
from scripts.supervisor.record import Addresses, read_record, record_file, running_service

SERVES = """
import http.server, json, sys
asked = 0
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        global asked
        asked += 1
        body = json.dumps({"checks": {"kafka": "ready", "model": "loading"}}).encode()
        self.send_response(503 if asked < 3 else 200)
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
url = f"http://127.0.0.1:{server.server_port}"
print("a banner that is no JSON")
print(json.dumps({"event": "serving", "url": url, "metrics_url": url + "/metrics"}), flush=True)
server.serve_forever()
"""


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def background(tmp_path: Path, said: list[str]) -> Iterator[Background]:
    yield Background(tmp_path, say=said.append, ready_limit_s=10)
    if record := running_service(tmp_path):
        kill(record.process)


def launch(source: str) -> Launch:
    return Launch(
        command=[sys.executable, "-c", source],
        environ={"PATH": os.defpath},
        role="all",
        stop_limit_s=5,
    )


def test_it_is_started_awaited_and_stopped(
    background: Background, tmp_path: Path, said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert background.start(launch(SERVES)) == 0
    record = running_service(tmp_path)
    assert record is not None
    assert record.addresses is not None
    assert record.addresses.metrics_url == record.addresses.url + "/metrics"
    assert any("waiting for model: loading" in line for line in said)
    assert background.status() == 0
    assert capsys.readouterr().out.startswith("ready, role all")
    assert background.stop() == 0
    assert not is_alive(record.process)
    assert not record_file(tmp_path).exists()
    assert said[-1].startswith("The service stopped after ")


def test_a_second_start_finds_the_first(
    background: Background, tmp_path: Path, said: list[str]
) -> None:
    background.start(launch(SERVES))
    first = read_record(tmp_path)
    assert background.start(launch("import sys; sys.exit(9)")) == 0
    assert read_record(tmp_path) == first
    assert any("runs already" in line for line in said)


def test_a_service_that_ends_at_its_start_is_told_with_its_last_words(
    background: Background, tmp_path: Path, said: list[str]
) -> None:
    assert background.start(launch("import sys; print('no such setting'); sys.exit(2)")) == 2
    assert "no such setting" in "\n".join(said)
    assert running_service(tmp_path) is None


def test_a_service_that_is_not_ready_in_time_goes_on_and_is_told(
    tmp_path: Path, said: list[str]
) -> None:
    background = Background(tmp_path, say=said.append, ready_limit_s=0.3)
    assert background.start(launch("import time; print('hm', flush=True); time.sleep(60)")) == 1
    assert "not ready after 0.3 s" in said[-1]
    assert background.status() == 1
    background.stop()
    assert running_service(tmp_path) is None


def test_a_service_that_does_not_end_is_killed_with_all_below_it(
    background: Background, tmp_path: Path, said: list[str]
) -> None:
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SERVES
    slow = launch(stubborn)
    background.start(Launch(slow.command, slow.environ, slow.role, stop_limit_s=0.2))
    record = running_service(tmp_path)
    background.stop()
    assert record is not None
    assert not is_alive(record.process)
    assert any("killing it" in line for line in said)


def test_stopping_what_does_not_run_is_no_error(background: Background, said: list[str]) -> None:
    assert background.stop() == 0
    assert said == ["The service does not run in the background."]


def test_the_status_tells_what_never_ran_from_what_ended(
    background: Background, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert background.status() == 1
    assert capsys.readouterr().out == "it does not run\n"
    background.start(launch(SERVES))
    record = running_service(tmp_path)
    assert record is not None
    kill(record.process)
    assert background.status() == 1
    assert "ended by itself" in capsys.readouterr().out


def test_a_log_is_read_line_by_whole_line(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    tail = LogTail(log)
    assert tail.fresh_events() == []
    log.write_bytes(b'banner\n{"event": "a"}\n{"event": ')
    assert tail.fresh_events() == [{"event": "a"}]
    with log.open("ab") as file:
        file.write(b'"b"}\n{broken\n')
    assert tail.fresh_events() == [{"event": "b"}]


@pytest.mark.parametrize("line", [b"", b"text", b"{broken", b"[1]", b"\xff{"])
def test_a_line_that_is_no_event_is_passed(line: bytes) -> None:
    assert event_of(line) is None


def test_only_the_serving_event_names_addresses() -> None:
    assert addresses_of({"event": "other", "url": "http://a"}) is None
    assert addresses_of({"event": "serving"}) is None
    found = addresses_of({"event": "serving", "url": "http://a", "metrics_url": None})
    assert found == Addresses(url="http://a")


def test_nobody_at_an_address_is_a_reason(unused_tcp_port: int) -> None:
    assert reasons_not_ready(f"http://127.0.0.1:{unused_tcp_port}") == ["its port to open"]


def test_a_record_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    record_file(tmp_path).write_text("{")
    assert read_record(tmp_path) is None


def test_the_background_log_is_json_whatever_the_settings_say() -> None:
    found = launch_of(Settings(), {LOG_FORMAT_VARIABLE: "console", "A": "b"})
    assert found.environ == {LOG_FORMAT_VARIABLE: "json", "A": "b"}
    assert found.expected is None


def test_paths_in_the_environment_mean_the_same_in_the_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = with_absolute_paths({"VECTORIZE_STACK_DIR": "mine", "OTHER": "mine"})
    assert found == {"VECTORIZE_STACK_DIR": str(tmp_path / "mine"), "OTHER": "mine"}
