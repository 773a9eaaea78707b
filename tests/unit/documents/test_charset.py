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


@pytest.mark.parametrize(
    "text",
    [
        "会议将于星期五举行，请大家准时参加。" * 20,
        "会议",
        "größte",
        "Привет, мир!",
        "안녕하세요. 이것은 간단한 한국어 텍스트입니다.",
        "plain words, and at last a face: é😀",
    ],
)
@pytest.mark.parametrize("kept", [1, 2, 3])
def test_a_text_cut_within_a_character_stays_utf_8(text: str, kept: int) -> None:
    cut = text.encode() + "😀".encode()[:kept]
    assert decode(cut) == (text, "utf-8")


@pytest.mark.parametrize("stated", [None, "iso-8859-1", "gb2312"])
def test_a_damaged_byte_costs_utf_8_one_character(stated: str | None) -> None:
    text = "Die größten Mädchen hören natürlich früh, dass süße Äpfel schön übrig blieben. "
    damaged = (text + "x" + text).encode().replace(b"x", b"\xff")
    assert decode(damaged, stated) == (f"{text}\ufffd{text}", "utf-8")


def test_a_damaged_byte_far_into_a_long_text_changes_no_charset() -> None:
    text = "only ASCII for long, " * 500_000 + "größere Mädchen, süße Äpfel, Öl für schöne Bürger"
    decoded = decode(text.encode() + b"\xff.")
    assert decoded == (f"{text}\ufffd.", "utf-8")


@pytest.mark.parametrize("charset, text", SAMPLES)
def test_what_is_not_in_utf_8_is_never_taken_for_a_damaged_one(charset: str, text: str) -> None:
    content = text.encode(charset)
    for cut in range(1, len(content)):
        decoded = decode(content[:-cut])
        if decoded is not None and decoded.charset == "utf-8":
            assert text.startswith(decoded.text)


@pytest.mark.parametrize(
    "stated, text, charset",
    [
        ("iso-2022-jp", "日本語のテキストです。", "iso2022_jp_ext"),
        ("ISO-2022-KR", "간단한 한국어 텍스트", "iso2022_kr"),
        ("hz-gb-2312", "简单的中文文本", "hz"),
    ],
)
def test_a_stated_charset_of_seven_bits_is_no_utf_8(stated: str, text: str, charset: str) -> None:
    text = f"in ASCII, {text} and again in ASCII"
    assert decode(text.encode(stated), stated) == (text, charset)


def test_a_letter_that_a_stated_charset_of_seven_bits_lacks_is_one_broken_character() -> None:
    content = "日本語のテキストです。丸い数字も。".encode("iso-2022-jp") + b"\x1b$B-!%F\x1b(B"
    assert decode(content, "iso-2022-jp") == (
        "日本語のテキストです。丸い数字も。\ufffdテ", "iso2022_jp_ext",
    )  # fmt: skip


def test_letters_of_half_width_are_read_as_browsers_read_them() -> None:
    decoded = decode(b"\x1b$B%F%9%H\x1b(B \x1b(I1234\x1b(B", "iso-2022-jp")
    assert decoded is not None
    assert decoded.text == "テスト ｱｲｳｴ"


@pytest.mark.parametrize("stated", ["iso-2022-jp", "hz", "utf-7"])
@pytest.mark.parametrize("text", ["words of ~home and +ADw-b+AD4-", "größer, 漢字"])
def test_a_text_that_is_not_in_its_stated_charset_of_seven_bits_is_utf_8(
    stated: str, text: str
) -> None:
    assert decode(text.encode(), stated) == (text, "utf-8")


@pytest.mark.parametrize(
    "stated, text, charset",
    [
        ("iso-8859-1", "“quoted” – and so on… for 5 €", "cp1252"),
        ("us-ascii", "“quoted”", "cp1252"),
        ("ISO-8859-9", "“İstanbul’da” güzel…", "cp1254"),
        ("gb2312", "朱镕基", "gb18030"),
        ("gbk", "ḿ 㐂", "gb18030"),
        ("shift_jis", "①髙橋", "cp932"),
        ("euc-kr", "똠방각하", "cp949"),
        ("big5", "碁", "big5hkscs"),
    ],
)
def test_a_stated_charset_means_what_it_means_to_browsers(
    stated: str, text: str, charset: str
) -> None:
    decoded = decode(text.encode(charset), stated)
    assert decoded == (text, charset)


def test_a_byte_that_a_stated_charset_lacks_does_not_change_the_charset() -> None:
    text = "L'été, nous mangeons des pâtés à la crème brûlée. " * 10
    damaged = text.encode("cp1252") + b"\x81."
    assert decode(damaged, "iso-8859-1") == (f"{text}\ufffd.", "cp1252")
    text = "日本語のテキストです。文字コードの判定を試します。"
    assert decode(text.encode("shift_jis"), "windows-1252") == (text, "cp932")


@pytest.mark.parametrize("stated", ["punycode", "idna", "unicode_escape", "undefined", "zlib"])
def test_a_codec_that_is_no_charset_is_passed_over(stated: str) -> None:
    assert decode(b"caf\xe9 xn--abc \\n", stated) == ("café xn--abc \\n", "cp1252")


def test_an_unknown_stated_charset_is_passed_over() -> None:
    assert decode("é words".encode("cp1252"), "no-such-charset") == ("é words", "cp1252")
