"""A converted model is tried in a child process before this one compiles it.

OpenVINO may end its process while it compiles (2026.4.1, a small Qwen2 in bf16 on a processor with
AMX: SIGFPE), and no handler here could stop that. What survived once on this processor is not tried
again: the verdict lies beside the model.
"""

import hashlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from embedding.conversion import ROOT, Converted, maker_versions
from embedding.parity import BackendRefused

#: To import OpenVINO, compile and run once, on a machine that is busy.
TRIAL_S = 300.0
KEY_CHARS = 16
COMMAND = (sys.executable, "-m", "embedding.tried")
_TELLING = ("model name", "flags", "Features", "CPU part")


def refuse_unless_it_survives(
    source: Converted, precision: str, *, command: Sequence[str] = COMMAND
) -> None:
    """Raise BackendRefused where compiling or running the model ends the process that does it."""
    verdict = source.folder.with_name(f"{source.folder.name}.{_here(precision)}.survived")
    if verdict.exists():
        return
    try:
        done = subprocess.run(  # noqa: S603  (our own interpreter and module)
            [*command, str(source.folder.resolve()), precision],
            cwd=ROOT,
            capture_output=True,
            timeout=TRIAL_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BackendRefused(f"{precision}: its trial took longer than {TRIAL_S:g} s") from error
    if done.returncode:
        how = f"signal {-done.returncode}" if done.returncode < 0 else f"exit {done.returncode}"
        raise BackendRefused(f"{precision}: compiling it ended the process that tried ({how})")
    verdict.touch()


def _here(precision: str) -> str:
    """Names a precision on this kind of processor, with these versions."""
    facts = [precision, *sorted(map(str, maker_versions().items())), *_processor()]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:KEY_CHARS]


def _processor(path: Path = Path("/proc/cpuinfo")) -> list[str]:
    """The lines that tell processors apart, each once; none where Linux does not say."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return sorted({line for line in lines if line.startswith(_TELLING)})
