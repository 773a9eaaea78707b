"""Why a document is not read, as sentences for a person; never text of the document itself."""

from models.documents import DocumentRefused
from models.states import ItemErrorCode

SUPPORTED = (
    "PDF, DOCX, PPTX, XLSX, XLS, ODS, ODT, EPUB, HTML, Markdown, text, CSV, JSON, NDJSON and EML"
)


def unsupported(found: str, advice: str | None = None) -> DocumentRefused:
    """Name the type that was found, and what to send in its place."""
    message = f"The file is {found}, which is not read. {advice or f'Send one of {SUPPORTED}.'}"
    return DocumentRefused(ItemErrorCode.DOCUMENT_UNSUPPORTED, message)


def unreadable(reason: str) -> DocumentRefused:
    """Say what is broken in the file, by a clause that starts with "it" or names a part."""
    message = f"The document cannot be read: {reason}. Save or export it again and send that."
    return DocumentRefused(ItemErrorCode.DOCUMENT_UNREADABLE, message)


def encrypted(found: str) -> DocumentRefused:
    """The file opens with a password or a licence only."""
    message = f"The file is {found}. Remove the protection, then send it again."
    return DocumentRefused(ItemErrorCode.DOCUMENT_ENCRYPTED, message)


def no_text(message: str) -> DocumentRefused:
    """The file opens and holds no text."""
    return DocumentRefused(ItemErrorCode.DOCUMENT_NO_TEXT, message)


def too_large(given: str, limit: str, setting: str) -> DocumentRefused:
    """It goes beyond a limit: `given` and `limit` with their units, and the setting's name."""
    message = (
        f"The document has {given}; the limit is {limit} (setting {setting}). "
        "Split the document, or raise the setting."
    )
    return DocumentRefused(ItemErrorCode.DOCUMENT_TOO_LARGE, message)


def prompt_too_long(given: int, tokens: int) -> DocumentRefused:
    """A chunk of so many `tokens` has hardly any room behind a prompt that has `given` of them."""
    message = (
        f"The prompt has {given:,} tokens, and a chunk of {tokens:,} has no room for text behind "
        "it. Shorten the prompt, or raise chunk_tokens."
    )
    return DocumentRefused(ItemErrorCode.TEXT_TOO_LONG, message)


def out_of_memory(memory_mb: int) -> DocumentRefused:
    """Reading it took more memory than one document may."""
    message = (
        f"Reading the document takes more than {memory_mb:,} MB of memory "
        "(setting document.memory_mb). Split the document, or raise the setting."
    )
    return DocumentRefused(ItemErrorCode.DOCUMENT_TOO_LARGE, message)


def timed_out(timeout_s: float) -> DocumentRefused:
    """Reading it took longer than one document may."""
    message = (
        f"Reading the document took longer than {timeout_s:g} s (setting document.timeout_s). "
        "Split the document, or raise the setting."
    )
    return DocumentRefused(ItemErrorCode.DOCUMENT_TIMEOUT, message)
