"""The guide's test client against a small fake service: its checks, told one by one."""

from typing import Any

import pytest

from scripts.service_client import addresses_for, api_key_for
from scripts.supervisor.record import Addresses
from scripts.test_client import CHECKS, main


def run(url: str, *more: str) -> int:
    return main(["--base-url", url, "--metrics-url", f"{url}/prometheus", *more])


def test_all_checks_pass_and_each_is_told_with_its_time(
    service_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(service_url) == 0
    lines = capsys.readouterr().out.splitlines()
    told = [line for line in lines if line[1:3] == "/7"]
    assert len(told) == len(CHECKS) == 7
    assert all(" s  ok " in line for line in told)
    assert lines[-1] == "All checks passed"


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"status": "unhealthy"}, "the status is 'unhealthy'"),
        ({"kafka_connected": False}, "Kafka is not connected"),
    ],
)
def test_a_wrong_health_fails_with_its_reason(
    service: Any,
    service_url: str,
    capsys: pytest.CaptureFixture[str],
    change: dict[str, object],
    reason: str,
) -> None:
    service.health |= change
    assert run(service_url) == 1
    said = capsys.readouterr().out
    assert f"FAILED  {reason}" in said
    assert said.count("FAILED  ") == 1


def test_a_document_of_which_nothing_is_known_again_fails(
    service: Any, service_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    service.kept_items = 0
    assert run(service_url) == 1
    assert "FAILED  0 of 1 chunks were kept" in capsys.readouterr().out


def test_a_missing_metric_fails(
    service: Any, service_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    del service.metrics["pending_tasks"]
    assert run(service_url) == 1
    assert "/metrics lacks pending_tasks" in capsys.readouterr().out


def test_metrics_without_prometheus_text_fail(
    service_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--base-url", service_url, "--metrics-url", f"{service_url}/health"]) == 1
    assert "without metrics" in capsys.readouterr().out


def test_the_addresses_of_the_command_line_win() -> None:
    assert addresses_for("http://h:1/") == Addresses(url="http://h:1")
    assert addresses_for("http://h:1", "http://m").metrics_url == "http://m"


def test_this_checkouts_key_goes_to_its_own_service_only() -> None:
    def own() -> str:
        return "own"

    assert api_key_for(None, None, own) == "own"
    assert api_key_for("http://elsewhere", None, own) is None
    assert api_key_for("http://elsewhere", "given", own) == "given"
