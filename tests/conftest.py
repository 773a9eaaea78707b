"""What holds for every test: the markers, each with its meaning."""

import pytest

MARKERS = (
    "integration: talks to a real Kafka, Redis or Weaviate, which the test starts",
    "acceptance: runs whole processes of the service and uses them as a client would",
    "slow: too slow for every run; `make test` leaves it out",
    "gpu: needs a CUDA device; `make test-gpu` runs these, `make test` leaves them out",
)


def pytest_configure(config: pytest.Config) -> None:
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
