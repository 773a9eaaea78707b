"""What can go wrong with the stack; each message says what to do next.

StackError
├── MissingTool     a program the stack needs is not installed
├── BuildFailed     a server could not be fetched or built
├── PortTaken       a port that must stay the same belongs to another process
├── UnknownService  the stack has no such server
└── ServerFailed    a server died at its start, or did not answer in time
"""

from pathlib import Path


class StackError(Exception):
    """The stack could not do what was asked."""


class MissingTool(StackError):
    """A program the stack needs is not installed."""

    def __init__(self, what: str, install: str) -> None:
        super().__init__(f"{what}. Install it with: {install}")
        self.install = install


class BuildFailed(StackError):
    """A server could not be fetched or built."""

    def __init__(self, what: str, log: Path, last_lines: str) -> None:
        super().__init__(f"{what} failed; its last words:\n{last_lines}\nThe whole log: {log}")
        self.log = log


class PortTaken(StackError):
    """A port that must stay the same belongs to another process."""

    def __init__(self, service: str, port: int, owner: str) -> None:
        super().__init__(
            f"{service} must come back on port {port}, which {owner} holds now; end that, "
            "or take the whole stack down and up for new ports"
        )
        self.port = port


class UnknownService(StackError):
    """The stack has no such server."""

    def __init__(self, service: str, known: str) -> None:
        super().__init__(f"this stack has no {service!r}; it has: {known or 'no server yet'}")


class ServerFailed(StackError):
    """A server died at its start, or did not answer in time."""

    def __init__(self, service: str, why: str, log: Path, last_lines: str) -> None:
        super().__init__(f"{service} {why}; its last words:\n{last_lines}\nThe whole log: {log}")
        self.service = service
        self.log = log
