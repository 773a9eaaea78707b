"""What Weaviate's errors mean: the store is away, a place is missing, or the work is refused."""

import re
from enum import Enum

import httpx
from weaviate import exceptions as weaviate_errors

from models.errors import VectorStoreUnavailable
from stores.vector_store import VectorStoreBusy


class Trouble(Enum):
    """What to do about an error: try later, make the place and try again, or give the item up."""

    AWAY = "away"
    MISSING = "missing"
    REFUSED = "refused"


class PlaceMissing(Exception):
    """The collection, its alias, its named vector or its tenant does not exist (any more)."""


class CallRefused(Exception):
    """Weaviate answered, and would answer the same again."""


#: Words of an outage, an overload or a change of state; whoever waits gets through.
_AWAY = re.compile(
    r"""
    unavailable | connection\ (refused|reset|closed|error) | failed\ to\ connect | broken\ pipe
  | transport\ is\ closing | \beof\b | socket\ closed | no\ route\ to\ host | goaway
  | time[d]?[\ -]?out | deadline[\ _]exceeded | context\ cancell?ed | \bcancell?ed\b
  | no\ space\ left | read[\ -]?only | disk\ (usage|is\ full|pressure)
  | (out\ of|not\ enough|insufficient)\ memory | memory\ (pressure|limit)
  | resource[\ _]exhausted | too\ many\ requests | rate\ limit | overloaded | too\ busy
  | shut(ting)?[\ ]?down | already\ (closed|shut) | (index|store|shard|bucket|client)\ is\ closed
  | not\ (ready|active) | still\ (loading|starting) | being\ (loaded|created)
  | try\ again | retry\ later
  | leader\ not\ found | no\ leader | not\ (the\ )?leader | \braft\b
  | cannot\ (achieve|reach)\ .*(consistency|replicas) | not\ enough\ replicas
  | (freez|unfreez|offload|onload|activat)ing
  | unauthenticated | unauthorized | forbidden | permission[\ _]denied
    """,
    re.IGNORECASE | re.VERBOSE,
)
_MISSING = re.compile(
    r"""
    could\ not\ find\ class | class\ \S+\ not\ found | class\ not\ found
  | class\ \S+\ not\ present\ in\ schema
  | which\ does\ not\ exist | collection\ .*\ (not\ found|does\ not\ exist)
  | does\ not\ have\ (configuration\ for|named)\ vector
  | tenant\ not\ found
  | multi-tenancy\ disabled,\ but\ request\ was\ with\ tenant
    """,
    re.IGNORECASE | re.VERBOSE,
)
#: The names of clients where Weaviate quotes them; a collection may be called `Timeouts`.
_NAMES = re.compile(
    r"""
    (?P<quote>["'`])[\w-]+\\?(?P=quote)
  | \b(class|collection|index|alias|shard|tenant)\ (name\ )?
    (?!(is|was|not|has|does|closed|unavailable|(un)?freezing|shut(ting|down)?)\b)[\w-]+
    """,
    re.IGNORECASE | re.VERBOSE,
)
_AWAY_CLASSES = (
    weaviate_errors.WeaviateConnectionError,
    weaviate_errors.WeaviateTimeoutError,
    weaviate_errors.WeaviateStartUpError,
    weaviate_errors.WeaviateGRPCUnavailableError,
    weaviate_errors.WeaviateRetryError,
    weaviate_errors.WeaviateClosedClientError,
    weaviate_errors.InsufficientPermissionsError,
    weaviate_errors.AuthenticationFailedError,
    weaviate_errors.ResponseCannotBeDecodedError,
    httpx.HTTPError,
    OSError,  # TimeoutError and ConnectionError are OSErrors
)
_AWAY_STATUSES = frozenset({401, 403, 408, 429})
_FIRST_SERVER_STATUS = 500


def trouble_of_message(message: str) -> Trouble:
    """Tell what Weaviate's words about one object or one call mean.

    What is not known means refused: an outage has few shapes, all listed above, and an item
    given up is reported and can be retried, while one retried for ever blocks all behind it.
    Names that the message quotes say nothing: they are the client's, who may mean harm.
    """
    if _AWAY.search(_NAMES.sub("", message)):
        return Trouble.AWAY
    return Trouble.MISSING if _MISSING.search(message) else Trouble.REFUSED


def trouble_of(error: Exception) -> Trouble:
    """Tell what an error of the client means."""
    if isinstance(error, _AWAY_CLASSES):
        return Trouble.AWAY
    if isinstance(error, weaviate_errors.UnexpectedStatusCodeError):
        status = error.status_code
        if status in _AWAY_STATUSES or status >= _FIRST_SERVER_STATUS:
            return Trouble.AWAY
    return trouble_of_message(str(error))


def _words(error: Exception) -> str:
    """Take Weaviate's own sentence out of the client's and gRPC's wrapping."""
    details = getattr(error.__cause__, "details", None)
    return str(details() if callable(details) else error) or type(error).__name__


def translated(error: Exception) -> Exception:
    """Turn an error of the client into VectorStoreUnavailable, PlaceMissing or CallRefused."""
    words = _words(error)
    match trouble_of(error):
        case Trouble.AWAY:
            reason = words.partition("\n")[0][:300]
            if isinstance(error, weaviate_errors.WeaviateInsertManyAllFailedError):
                return VectorStoreBusy(f"Weaviate cannot store now: {reason}")
            return VectorStoreUnavailable(f"Weaviate is not reachable now ({reason})")
        case Trouble.MISSING:
            return PlaceMissing(words)
        case Trouble.REFUSED:
            return CallRefused(words)
