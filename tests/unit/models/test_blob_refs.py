import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.blob_refs import BlobRef

HASH = "a" * 64


@given(st.binary())
def test_a_reference_reads_back_as_it_was_written(content: bytes) -> None:
    ref = BlobRef.of(content)
    assert BlobRef.parse(str(ref)) == ref


def test_a_reference_is_written_with_hash_and_size() -> None:
    assert str(BlobRef(HASH, 7)) == f"blob:sha256:{HASH}:7"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "blob:sha256:",
        f"blob:sha256:{HASH}",
        f"blob:sha256:{HASH}:",
        f"blob:sha256:{HASH}:-1",
        f"blob:sha256:{HASH}:+1",
        f"blob:sha256:{HASH}:007",
        f"blob:sha256:{HASH}:1_0",
        f"blob:sha256:{HASH}:1.0",
        f"blob:sha256:{HASH}:１",  # noqa: RUF001 (a digit to `int`, not to us)
        f"blob:sha256:{HASH}:1\n",
        f" blob:sha256:{HASH}:1",
        f"blob:sha256:{HASH}:1:2",
        f"blob:sha256:{HASH}:{10**15}",
        f"blob:sha256:{HASH[:-1]}:1",
        f"blob:sha256:{HASH}a:1",
        f"blob:sha256:{HASH.upper()}:1",
        f"blob:md5:{HASH}:1",
        f"BLOB:sha256:{HASH}:1",
        "blob:sha256:../../../../etc/passwd:1",
        f"blob:sha256:../{HASH[3:]}:1",
        f"blob:sha256:..%2f{HASH[5:]}:1",
        f"blob:sha256:{HASH[:-3]}/..:1",
        f"blob:sha256:{HASH[:-1]}\x00:1",
        f"file:///{HASH}",
        f"blob:sha256:{HASH[:32]}\\{HASH[:31]}:1",
    ],
)
def test_what_is_not_exactly_a_reference_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a blob reference"):
        BlobRef.parse(text)


@pytest.mark.parametrize("sha256", ["..", "../" + HASH[3:], HASH.upper(), HASH + "\n", ""])
def test_no_reference_can_be_made_of_what_is_not_a_hash(sha256: str) -> None:
    with pytest.raises(ValueError, match="64 lower-case hex digits"):
        BlobRef(sha256, 1)
