"""The ways to start: the script from any folder, the module, their options and their refusals."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = [sys.executable, str(ROOT / "scripts" / "start_master.py")]
MODULE = [sys.executable, "-m", "src.master.main"]


def run(command: list[str], folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=30
    )


def test_the_script_starts_from_any_folder(tmp_path: Path) -> None:
    done = run([*SCRIPT, "--help"], tmp_path)
    assert done.returncode == 0
    assert "--detach" in done.stdout


@pytest.mark.parametrize("command", [SCRIPT, MODULE], ids=["script", "module"])
def test_a_wrong_setting_is_one_line_and_exit_code_2(command: list[str]) -> None:
    done = run(command, ROOT, VECTORIZE_MASTER_PROT="1")
    assert done.returncode == 2
    assert done.stderr.startswith("vectorize: unknown setting VECTORIZE_MASTER_PROT")
    assert done.stderr.count("\n") == 1


def test_the_module_is_the_same_program() -> None:
    done = run([*MODULE, "--help"], ROOT)
    assert "--detach" in done.stdout


@pytest.mark.parametrize(
    "script", ["scripts/test_client.py", "-m scripts.demo"], ids=["test client", "demo"]
)
def test_a_service_that_is_not_there_is_one_line(script: str, unused_tcp_port: int) -> None:
    url = f"http://127.0.0.1:{unused_tcp_port}"
    done = run([sys.executable, *script.split(), "--base-url", url], ROOT)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{url} does not answer")
    assert done.stderr.count("\n") == 1
