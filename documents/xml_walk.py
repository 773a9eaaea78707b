"""XML without a tree: events from expat, which follows no entity and opens no other file."""

import re
from collections.abc import Callable, Mapping
from xml.parsers import expat

from documents.refusals import unreadable

Start = Callable[[str, Mapping[str, str]], None]
End = Callable[[str], None]
Text = Callable[[str], None]

_WHOLE_NUMBER = re.compile(r"[0-9]{1,9}")


def walk_xml(
    content: bytes, *, start: Start | None = None, end: End | None = None, text: Text | None = None
) -> None:
    """Call back for each element and text; names as `space name`, the first being the URI.

    Raises DocumentRefused: it is no XML, or declares entities.
    """
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    parser.EntityDeclHandler = _refuse_entity
    try:
        parser.Parse(content, True)  # noqa: FBT003  (the C function takes no names)
    except expat.ExpatError as error:
        raise unreadable("a part of it is not well-formed XML") from error


def whole_number(told: str | None) -> int | None:
    """A number that an attribute says; None where it says none, or one of absurd length."""
    return int(told) if told and _WHOLE_NUMBER.fullmatch(told) else None


def _refuse_entity(*_: object) -> None:
    raise unreadable("it declares XML entities, which are not followed")
