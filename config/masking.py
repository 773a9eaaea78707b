"""What of a value may be shown: secrets never, passwords inside URLs neither."""

import re

from pydantic import SecretStr

from config.names import Setting

MASK = "********"

_PASSWORD_IN_URL = re.compile(r"(?<=://)([^:/@\s]*):(.*)@")
_PASSWORD_IN_QUERY = re.compile(r"((?:password|username)=)[^&\s]*", re.IGNORECASE)


def without_passwords(text: str) -> str:
    """`text` with the passwords of URLs in it masked."""
    return _PASSWORD_IN_QUERY.sub(rf"\1{MASK}", _PASSWORD_IN_URL.sub(rf"\1:{MASK}@", text))


def shown(value: object, setting: Setting | None = None) -> str:
    """A value on one line as a person may see it; a secret that is set is masked."""
    if value is None:
        return "(unset)"
    if isinstance(value, SecretStr) or (setting is not None and setting.is_secret):
        return MASK
    if isinstance(value, bool):
        return str(value).lower()
    text = " ".join(without_passwords(str(value)).split())
    return text or "(empty)"
