"""Where a document is: told by what `data` begins with, and never guessed."""

import pytest

from models.blob_refs import BlobRef
from models.errors import InvalidRequest
from models.file_sources import LONGEST_URL, FileSource, file_source
from models.tasks import TaskRequest

REF = BlobRef("ab" * 32, 7)


def source(data: str) -> FileSource:
    return file_source(
        TaskRequest.model_validate({"task_type": "document_vectorization", "data": data})
    )


@pytest.mark.parametrize("data", ["AAECA/8=", " AAEC\nA/8=\r\n"])
def test_a_files_bytes_are_its_base64_however_its_lines_are_broken(data: str) -> None:
    found = source(data)
    assert (found.content, found.size_bytes) == (b"\x00\x01\x02\x03\xff", 5)


@pytest.mark.parametrize(
    "url",
    ["http://example.org/a.pdf", "HTTPS://example.org:443/?q=1#p", "http://[::1]/x", "http://é/"],
)
def test_a_url_is_taken_as_it_is(url: str) -> None:
    assert source(url) == FileSource(url=url)
    assert source(url).size_bytes is None


def test_a_blob_is_named_by_hash_and_size() -> None:
    assert source(str(REF)) == FileSource(blob=REF)
    assert source(str(REF)).size_bytes == 7


@pytest.mark.parametrize(
    "data,told",
    [
        ("YQ", "neither base64"),
        ("Y-==", "neither base64"),
        ("é", "neither base64"),
        ("a,b", "neither base64"),
        ("YQ==YQ==", "neither base64"),
        ("ftp://example.org/a", "neither base64"),
        ("file:///etc/passwd", "neither base64"),
        ("", "the file is empty"),
        ("  ", "the file is empty"),
        (f"blob:sha256:{'ab' * 32}:0", "the file is empty"),
        ("http://", "is no URL"),
        ("http:///path", "is no URL"),
        ("http://[::1", "is no URL"),
        ("http://a b/", "is no URL"),
        ("http://a/\x00", "is no URL"),
        ("https://user:secret@example.org/", "user name or password"),
        ("https://user@example.org/", "user name or password"),
        ("http://" + "a" * LONGEST_URL, "at most 8000"),
        ("blob:sha256:abc:7", "a blob is named"),
        (f"blob:sha256:{'AB' * 32}:7", "a blob is named"),
        (f"blob:sha256:{'ab' * 32}:-1", "a blob is named"),
        (f"blob:../{'ab' * 32}:1", "a blob is named"),
    ],
)
def test_what_is_none_of_the_three_is_refused_and_never_shown(data: str, told: str) -> None:
    with pytest.raises(InvalidRequest, match=told) as caught:
        source(data)
    assert caught.value.field == "data"
    assert not isinstance(caught.value.given, str)
    assert "secret" not in caught.value.message
