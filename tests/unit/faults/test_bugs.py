"""Each seeded bug breaks something that is there: one that breaks nothing is caught by nothing."""

import os
import subprocess
import sys

from scripts.stack.state import VARIABLES

PROGRAM = """
import inspect, sys
from tests.faults.bugs import BUGS

def ours():
    for name, module in sorted(sys.modules.items()):
        if name.split(".")[0] in {"agents", "embedding", "models", "stores", "streams"}:
            for what, found in vars(module).items():
                yield (name, what), id(found)
                if inspect.isclass(found) and found.__module__ == name:
                    for member, inner in vars(found).items():
                        yield (name, what, member), id(inner)

before = dict(ours())
for name, bug in BUGS.items():
    bug.plant()
    after = dict(ours())
    new = set(after) - set(before)
    assert not new, f"{name} replaced nothing: {new}"
    changed = [place for place in before if before[place] != after[place]]
    assert changed, f"{name} broke nothing"
    before = after
"""


def test_each_seeded_bug_replaces_what_the_service_has() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, VARIABLES["database.redis_url"]: "redis://127.0.0.1:1/0"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
