"""What the checks of the test client say where something does not hold."""

from scripts.service_client import Json


class CheckFailed(Exception):
    """A check found something else than it should."""


def expect(*, holds: bool, otherwise: str) -> None:
    """Raise CheckFailed where something does not hold."""
    if not holds:
        raise CheckFailed(otherwise)


def expect_fields(found: Json, wanted: set[str], where: str) -> None:
    """Raise CheckFailed where fields are missing."""
    missing = sorted(wanted - found.keys())
    expect(holds=not missing, otherwise=f"{where} lacks {', '.join(missing)}")
