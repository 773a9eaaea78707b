"""What holds for every test: the markers, each with its meaning, and what may run beside what."""

from pathlib import Path

import pytest

UNIT = Path(__file__).parent / "unit"

MARKERS = (
    "integration: talks to a real Kafka, Redis or Weaviate, which the test starts",
    "acceptance: runs whole processes of the service and uses them as a client would",
    "slow: too slow for every run; `make test` leaves it out",
    "gpu: needs a CUDA device; `make test-gpu` runs these, `make test` leaves them out",
)


def pytest_configure(config: pytest.Config) -> None:
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)


@pytest.hookimpl(tryfirst=True)  # before the names get their groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Under `--dist loadgroup` one process runs what starts servers, in its order.

    The tests of units run in the other beside it: they hold no ports, and are not timed.
    """
    for item in items:
        if UNIT not in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("servers"))
