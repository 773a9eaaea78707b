"""What the stack must know about a kind of server to run it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.stack.places import environment
from scripts.stack.progress import Say

Ports = Mapping[str, int]
#: Among the ports of a server that tells its clients where it is: the port it is to name.
ADVERTISED = "advertised"

_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ")


@dataclass(frozen=True)
class Launch:
    """A program to start: its whole command line and its whole environment."""

    command: list[str]
    env: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One kind of server."""

    #: Port name -> standard port; None where any free port will do. `main` is the clients'.
    ports: Mapping[str, int | None]
    #: Finds or builds the program, writes its configuration into the given folder.
    prepare: Callable[[Path, Ports, Say], Launch]
    #: Whether the server answers on these ports.
    answers: Callable[[Ports], bool]
    url: Callable[[Ports], str]
    #: The service's settings that point at this server.
    settings: Callable[[Ports], dict[str, str]]
    #: The same settings when the server cannot run here; None when the stack needs it.
    settings_when_off: dict[str, str] | None = None
    start_limit_s: float
    stop_limit_s: float


def clean_environment(**own: str) -> dict[str, str]:
    """The few variables every program needs, and its own: no server obeys the user's shell."""
    ours = environment()
    return {**{name: ours[name] for name in _PASSED_ON if name in ours}, **own}
