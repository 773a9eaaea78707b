import pytest
from yarl import URL

from stores.address_rules import AllowList
from stores.fetch_errors import UrlRefused
from stores.url_rules import URL_CHARS, FetchRules, redirect_of, target_of

RULES = FetchRules(frozenset({80, 443}), AllowList.of(["files.inside:9000", "10.0.0.5"]))

#: URLs as people have them: none may be refused before its connect.
GOOD = {
    "a plain one": "http://example.com/report.pdf",
    "with TLS": "https://example.com/report.pdf",
    "without a path": "https://example.com",
    "with the usual port written out": "https://example.com:443/a",
    "with the other usual port": "http://example.com:443/a",
    "in capitals": "HTTPS://EXAMPLE.COM/A.PDF",
    "with a last dot": "https://example.com./a",
    "with an umlaut in its name": "https://bücher.example/a",
    "with a Chinese name": "https://例子.测试/文件.pdf",
    "in Punycode": "https://xn--bcher-kva.example/a",
    "with an umlaut in its path": "https://example.com/jahresübersicht.pdf",
    "with escapes": "https://example.com/a%20b%2Fc.pdf",
    "signed": "https://bucket.s3.amazonaws.com/k?X-Amz-Signature=ab%2Bcd%3D&X-Amz-Date=1",
    "with an at sign in its path": "https://example.com/@ann/a.pdf",
    "with an at sign in its query": "https://example.com/a?to=ann@example.com",
    "with a URL in its query": "https://example.com/a?next=http://127.0.0.1/",
    "with a fragment": "https://example.com/a.html#part-2",
    "with an underscore in its name": "https://my_files.example.com/a",
    "at a public address": "http://8.8.8.8/a",
    "at a public address of IPv6": "http://[2606:4700:4700::1111]/a",
    "at a public address written as one number": "http://134744072/a",
    "named like an address": "https://10.0.0.1.example.com/a",
    "of an allowed host at its allowed port": "http://files.inside:9000/a",
    "of an allowed private address": "http://10.0.0.5/a",
}

BAD = {
    "nothing": "",
    "no scheme": "example.com/a",
    "only slashes": "//example.com/a",
    "no host": "http:///a",
    "no host but a port": "http://:80/a",
    "a file": "file:///etc/passwd",
    "gopher": "gopher://example.com:80/_a",
    "ftp": "ftp://example.com/a",
    "data": "data:text/plain,a",
    "a socket": "http+unix://%2Fvar%2Frun%2Fdocker.sock/info",
    "a name before the host": "http://ann@example.com/",
    "name and password": "http://ann:secret@example.com/",
    "an empty user name": "http://@example.com/",
    "an empty user name and password": "http://:@example.com/",
    "two at signs": "http://a@b@example.com/",
    "another port": "http://example.com:8080/",
    "port zero": "http://example.com:0/",
    "a port that is too high": "http://example.com:65616/",
    "two ports": "http://example.com:80:80/",
    "the port of an allowed host at another host": "http://example.com:9000/",
    "a space": "http://exam ple.com/",
    "a space before it": " http://example.com/",
    "a line feed": "http://example.com/a\nHost: other",
    "a tab": "http://exam\tple.com/",
    "a null": "http://example.com\x00.other/",
    "a backslash": "http://example.com\\@other/",
    "backslashes for slashes": "http:\\\\example.com/",
    "an escape in the host": "http://example%2ecom/",
    "an open bracket": "http://[::1",
    "a zone": "http://[fe80::1%25eth0]/",
    "a lone surrogate": "http://example.com/\udc80",
    "a very long one": "http://example.com/" + "a" * URL_CHARS,
}


@pytest.mark.parametrize("url", GOOD.values(), ids=GOOD.keys())
def test_a_good_url_is_not_refused(url: str) -> None:
    target = target_of(url, RULES)
    again = target_of(str(target.url), RULES)
    assert (str(again.url), again.host) == (str(target.url), target.host)


@pytest.mark.parametrize("url", BAD.values(), ids=BAD.keys())
def test_a_bad_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(UrlRefused, match="data: ") as caught:
        target_of(url, RULES)
    assert not caught.value.transient
    assert len(caught.value.message) < 300
    assert "secret" not in caught.value.message


def test_a_signed_url_is_sent_as_it_was_given() -> None:
    target = target_of(GOOD["signed"], RULES)
    assert str(target.url) == GOOD["signed"]


@pytest.mark.parametrize(
    "location, place",
    [
        ("https://other.example/b", "https://other.example/b"),
        ("/b?c=d", "https://example.com/b?c=d"),
        ("b", "https://example.com/folder/b"),
        ("../b", "https://example.com/b"),
        ("?c", "https://example.com/folder/a?c"),
        ("//other.example/b", "https://other.example/b"),
    ],
)
def test_a_redirect_leads_on(location: str, place: str) -> None:
    target = target_of("https://example.com/folder/a", RULES)
    assert redirect_of(target, location, RULES).url == URL(place)


@pytest.mark.parametrize(
    "location",
    [
        "http://example.com/a",
        "http://other.example/a",
        "https://127.0.0.1/",
        "//127.0.0.1/",
        "//127.1/",
        "https://ann@example.com/",
        "https://example.com:22/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http:other",
        "\\\\127.0.0.1\\x",
        "https://[::1",
        "a\udc80",
        "/" + "a" * URL_CHARS,
    ],
)
def test_a_redirect_is_judged_like_the_first_url(location: str) -> None:
    target = target_of("https://example.com/folder/a", RULES)
    with pytest.raises(UrlRefused, match="data: "):
        redirect_of(target, location, RULES)


def test_a_redirect_from_http_to_https_is_followed() -> None:
    target = target_of("http://example.com/a", RULES)
    assert redirect_of(target, "https://example.com/a", RULES).port == 443
