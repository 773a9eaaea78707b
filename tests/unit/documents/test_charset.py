"""Plain text is read in the charset it is in, stated or not."""

import codecs

import pytest

from documents.charset import decode

SAMPLES = [
    ("utf-8", "Größe, 漢字, 😀"),
    ("utf-8-sig", "Größe"),
    ("utf-16", "Größe 漢字 😀"),
    ("utf-32", "Größe 漢字 😀"),
    ("utf-16-le", "plain words without a mark"),
    ("utf-16-be", "plain words without a mark"),
    ("cp1252", "L'été dernier, nous avons mangé des pâtés à la crème brûlée près de l'hôtel."),
    ("latin-1", "Größere Mädchen essen süße Äpfel; das ist schön für alle Bürger."),
    ("cp1250", "Příliš žluťoučký kůň úpěl ďábelské ódy. Dnes je hezky a my jdeme do města."),
    ("cp1251", "Привет, мир! Это простой текст для проверки кодировки. Как дела?"),
    ("koi8-r", "Привет, мир! Это простой текст для проверки кодировки. Как дела?"),
    ("cp1253", "Καλημέρα κόσμε. Αυτό είναι ένα απλό ελληνικό κείμενο."),
    ("shift_jis", "日本語のテキストです。文字コードの判定を試します。"),
    ("euc_jp", "日本語のテキストです。文字コードの判定を試します。"),
    ("gbk", "这是一个简单的中文文本，用来测试编码识别。今天天气很好。"),
    ("big5", "這是一個簡單的中文文本，用來測試編碼識別。今天天氣很好。"),
    ("euc_kr", "안녕하세요. 이것은 간단한 한국어 텍스트입니다."),
    ("cp1252", "café"),
]


@pytest.mark.parametrize("charset, text", SAMPLES)
def test_text_is_read_in_its_charset(charset: str, text: str) -> None:
    decoded = decode(text.encode(charset))
    assert decoded is not None
    assert decoded.text == text
    assert codecs.lookup(decoded.charset)


def test_a_stated_charset_is_believed_where_it_fits() -> None:
    assert decode("Łódź".encode("iso-8859-2"), "iso-8859-2") == ("Łódź", "iso8859-2")
    decoded = decode("Łódź".encode(), "iso-8859-2")
    assert decoded is not None
    assert decoded.text == "Łódź"


@pytest.mark.parametrize("content", [bytes(range(256)), b"text\0with a zero", b"\x01\x02" * 50])
def test_binary_data_is_no_text(content: bytes) -> None:
    assert decode(content) is None


def test_an_unknown_stated_charset_is_passed_over() -> None:
    assert decode("é words".encode("cp1252"), "no-such-charset") == ("é words", "cp1252")
