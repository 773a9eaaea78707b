"""Asking a service whether it is ready: plain HTTP, past any proxy that the shell has set."""

import http.client
import json
from http import HTTPStatus
from urllib.parse import urlsplit

PROBE_LIMIT_S = 3.0


def reasons_not_ready(url: str) -> list[str]:
    """What the service at `url` still waits for; empty when it is ready."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(
        parts.hostname or "localhost", parts.port, timeout=PROBE_LIMIT_S
    )
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        if answer.status == HTTPStatus.OK:
            return []
        return _reasons(answer.read()) or [f"/readyz answers {answer.status}"]
    except (OSError, http.client.HTTPException):
        return ["its port to open"]
    finally:
        connection.close()


def _reasons(body: bytes) -> list[str]:
    try:
        checks = json.loads(body)["checks"].items()
    except (ValueError, KeyError, TypeError, AttributeError):
        return []
    return [f"{name}: {reason}" for name, reason in checks if reason != "ready"]
