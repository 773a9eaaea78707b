"""Which URLs a document may be fetched from: pure, asked for the first URL and every redirect."""

import re
from dataclasses import dataclass

from yarl import URL

from stores.address_rules import AllowList, canonical_host, literal_of
from stores.fetch_errors import UrlRefused

FIELD = "data"
#: Longer URLs are refused; signed ones of object stores stay below 3,000.
URL_CHARS = 8_000
_USUAL_PORTS = {"http": 80, "https": 443}
#: What parsers of URLs read in different ways, and bytes of a header that are not UTF-8.
_DUBIOUS = re.compile(r"[\x00-\x20\x7f\\\ud800-\udfff]")
_USERINFO = re.compile(r"[^/?#]*//[^/?#]*@")


@dataclass(frozen=True, slots=True)
class FetchRules:
    """Where documents may be fetched from."""

    ports: frozenset[int]
    allowed: AllowList


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that may be asked for, as it will be sent; its host is canonical."""

    url: URL
    host: str
    port: int


def target_of(text: str, rules: FetchRules) -> Target:
    """Read a URL; raises UrlRefused. An address is judged here, a name only at its connect."""
    url = _read(text)
    host = canonical_host(url.raw_host or "")
    if host is None:
        raise UrlRefused(f"{FIELD}: its host is neither a name nor an address")
    port = url.port or 0  # port 0 is in no list
    _check_port(host, port, rules)
    address = literal_of(host)
    if address is not None and not rules.allowed.permits(host, port, address):
        raise closed(host)
    return Target(url.with_host(host).with_fragment(None), host, port)


def redirect_of(target: Target, location: str, rules: FetchRules) -> Target:
    """Where a redirect leads; raises UrlRefused when the rules do not allow that place."""
    _check_text(location)
    try:
        onward = str(target.url.join(URL(location)))
    except ValueError:
        raise UrlRefused(f"{FIELD}: {target.host} redirects to what is not a URL") from None
    found = target_of(onward, rules)
    if target.url.scheme == "https" and found.url.scheme != "https":
        raise UrlRefused(f"{FIELD}: {target.host} redirects from https to http")
    return found


def closed(host: str) -> UrlRefused:
    """The refusal of a host that leads to an address which is not public."""
    return UrlRefused(
        f"{FIELD}: {host} leads to an address that is not public; private ones can be opened by "
        "the setting document.fetch_allowed_hosts"
    )


def _read(text: str) -> URL:
    _check_text(text)
    try:
        url = URL(text)
    except ValueError:  # its own message repeats the URL, which may hold a secret
        raise UrlRefused(f"{FIELD}: not a valid URL") from None
    if url.scheme not in _USUAL_PORTS:
        raise UrlRefused(f"{FIELD}: only http:// and https:// URLs are fetched")
    if _USERINFO.match(text):
        raise UrlRefused(f"{FIELD}: a URL with a user name or password is not fetched")
    return url


def _check_text(text: str) -> None:
    if len(text) > URL_CHARS:
        raise UrlRefused(f"{FIELD}: {len(text)} characters long, over the limit of {URL_CHARS}")
    if _DUBIOUS.search(text):
        raise UrlRefused(f"{FIELD}: has white space, control characters or a backslash in it")


def _check_port(host: str, port: int, rules: FetchRules) -> None:
    if port not in rules.ports and (host, port) not in rules.allowed.doors:
        usual = ", ".join(map(str, sorted(rules.ports)))
        raise UrlRefused(
            f"{FIELD}: port {port} is not among the allowed ones: {usual} "
            "(setting document.fetch_ports)"
        )
