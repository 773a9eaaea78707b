"""Whether an answer is like the one a page shows: same shape, same values where they are stable."""

import json
import re
from collections.abc import Iterator

import pytest

#: Values that are another one at each run; of these only the type must be the same.
VARIES = frozenset({
    "average_processing_time", "finished_ms", "last_event_ms", "offset", "processing_time",
    "started_ms", "submitted_ms", "took_ms", "version", "total_vectors_generated",
    "next_cursor", "completed_items", "tokens", "progress", "computed_items",
    "deduplicated_items", "cached_items", "partition",
})  # fmt: skip
#: Tasks end as the page says whatever has been counted until then.
_UNTIL_CANCELLED = frozenset({
    "completed_items", "tokens", "progress", "computed_items", "deduplicated_items",
    "cached_items",
})  # fmt: skip
_STAMPS = (
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "<uuid>"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"), "<time>"),
    (re.compile(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} [\d:]{8} GMT"), "<date>"),
)
_HEADERS_THAT_VARY = frozenset({"content-length", "server"})
#: Scores and the like, from another processor.
_CLOSE = 1e-3


def assert_alike(language: str, shown: str, got: str) -> None:
    """Compare what was printed with what the page shows."""
    if language == "json":
        assert_alike_values(list(json_values(shown)), list(json_values(got)), "answer")
    elif language == "http":
        _assert_alike_http(shown, got.replace("\r\n", "\n"))
    else:
        assert stamped(got).split() == stamped(shown).split()  # columns are as wide as need be


def json_values(text: str) -> Iterator[object]:
    """Yield the JSON values that stand one behind the other."""
    decoder, rest = json.JSONDecoder(), text.strip()
    while rest:
        value, end = decoder.raw_decode(rest)
        yield value
        rest = rest[end:].strip()


def stamped(text: str) -> str:
    """Replace ids and times by what they are."""
    for pattern, name in _STAMPS:
        text = pattern.sub(name, text)
    return text


def assert_alike_values(shown: object, got: object, where: str) -> None:
    """Compare JSON values part by part; the assertion names the part."""
    if isinstance(shown, dict):
        assert isinstance(got, dict), where
        assert list(got) == list(shown), where
        for name, value in shown.items():
            part = f"{where}.{name}"
            if name in VARIES and not _is_stable(name, shown):
                assert type(got[name]) is type(value) or _both_numbers(got[name], value), part
            else:
                assert_alike_values(value, got[name], part)
    elif isinstance(shown, list):
        assert isinstance(got, list), where
        assert len(got) == len(shown), where
        for at, (mine, theirs) in enumerate(zip(shown, got, strict=True)):
            assert_alike_values(mine, theirs, f"{where}[{at}]")
    elif isinstance(shown, float) and isinstance(got, float):
        assert got == pytest.approx(shown, abs=_CLOSE), where
    elif isinstance(shown, str) and isinstance(got, str):
        assert stamped(got) == stamped(shown), where
    else:
        assert got == shown, where


def _is_stable(name: str, beside: dict[str, object]) -> bool:
    """Of these some are known all the same.

    How much a cancelled task had done varies, of any other it is known. A record without a key
    lies anywhere; where it lies is shown beside its topic, a task's own source is not.
    """
    if name == "partition":
        return "topic" not in beside
    return name in _UNTIL_CANCELLED and beside.get("status") != "cancelled"


def _both_numbers(one: object, other: object) -> bool:
    return isinstance(one, int | float) and isinstance(other, int | float)


def _assert_alike_http(shown: str, got: str) -> None:
    shown_head, _, shown_body = shown.partition("\n\n")
    got_head, _, got_body = got.partition("\n\n")
    assert list(_headers(got_head)) == list(_headers(shown_head))
    assert_alike("json", shown_body, got_body)


def _headers(head: str) -> Iterator[str]:
    for line in stamped(head).splitlines():
        name = line.partition(":")[0]
        yield name if name.lower() in _HEADERS_THAT_VARY else line
