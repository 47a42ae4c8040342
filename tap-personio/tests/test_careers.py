"""The public career site."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from singer_rest.testing import ReceivedRequest, Response
from singer_sdk.exceptions import ConfigValidationError
from tap_personio.feed import parse_feed, read_positions
from tap_personio.streams.careers import LANGUAGES
from tap_personio.tap import TapPersonio

if TYPE_CHECKING:
    from collections.abc import Callable


def fail_on_request(request: ReceivedRequest) -> Response:
    """Fails the test: no request is expected."""
    raise AssertionError(request.path)


FEED = """<?xml version="1.0" encoding="UTF-8"?>
<workzag-jobs><!-- two --><position>
  <id>410</id><office>Köln</office><additionalOffices><office>Łódź</office></additionalOffices><name>{name}</name>
  <jobDescriptions><jobDescription><name>Aufgaben</name><value><![CDATA[<p>a &amp; b</p>]]></value></jobDescription>
  <jobDescription><name>Profil</name><value/></jobDescription></jobDescriptions>
  <createdAt>2016-05-31T12:14:07+0200</createdAt></position></workzag-jobs>"""
XML = {"Content-Type": "application/xml"}
EMPTY = Response(b'<?xml version="1.0"?><workzag-jobs/>', headers=XML)


def make_feed(position: str) -> bytes:
    """Returns a feed of one position."""
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<workzag-jobs><position>{position}</position></workzag-jobs>'
    return text.encode("utf-8", "surrogatepass")


@pytest.fixture
def read_position(run: Callable[..., Any], personio: Any) -> Callable[[str | bytes], dict[str, Any]]:
    """The record of the one position in a feed, given as its inner XML, or whole."""

    def read_position(body: str | bytes) -> dict[str, Any]:
        response = Response(body if isinstance(body, bytes) else make_feed(body), headers=XML)
        site = personio(lambda request: response)
        output = run(personio(fail_on_request).url, "open_positions", careers_url=site.url, careers_languages=["de"])
        (record,) = output.records("open_positions")
        return dict(record)

    return read_position


def test_open_positions_are_read_in_each_language_without_a_token(run: Callable[..., Any], personio: Any) -> None:
    site = personio(lambda request: Response(FEED.replace("{name}", request.query["language"]).encode(), headers=XML))
    moved = personio(
        lambda request: Response(b"", 307, {"Location": f"{site.url}/xml?language={request.query['language']}"})
    )
    vendor = personio(fail_on_request)
    output = run(vendor.url, "open_positions", careers_url=f"{moved.url}/xml")
    records = output.records("open_positions")
    assert sorted(record["language"] for record in records) == sorted(LANGUAGES)
    (german,) = (record for record in records if record["language"] == "de")
    assert german == {
        "id": 410,
        "language": "de",
        "site": moved.url,
        "office": "Köln",
        "additionalOffices": ["Łódź"],
        "name": "de",
        "jobDescriptions": [{"name": "Aufgaben", "value": "<p>a &amp; b</p>"}, {"name": "Profil", "value": None}],
        "createdAt": "2016-05-31T10:14:07Z",
    }
    assert vendor.requests == []
    assert all("Authorization" not in request.headers for request in site.requests)


@pytest.mark.parametrize("ending", ["", "/", "/xml"])
def test_languages_and_address_come_from_the_settings(run: Callable[..., Any], personio: Any, ending: str) -> None:
    site = personio(lambda request: EMPTY)
    languages = ["cs", " DE ", "de"]
    run(personio(fail_on_request).url, "open_positions", careers_url=f"{site.url}{ending}", careers_languages=languages)
    assert sorted(query["language"] for query in site.queries("/xml")) == ["cs", "de"]
    assert set(site.paths()) == {"/xml"}


@pytest.mark.parametrize("join", [list, ", ".join])
def test_several_career_sites_are_read(run: Callable[..., Any], personio: Any, join: Callable[..., Any]) -> None:
    sites = [
        personio(lambda request, number=number: Response(make_feed(f"<id>{number}</id>"), headers=XML))
        for number in (1, 2)
    ]
    urls = [site.url for site in sites]
    output = run(
        personio(fail_on_request).url, "open_positions", careers_url=join(urls), careers_languages=["de", "en"]
    )
    found = {(record["site"], record["id"], record["language"]) for record in output.records("open_positions")}
    assert found == {(url, number, language) for number, url in enumerate(urls, 1) for language in ("de", "en")}


def test_open_positions_are_available_only_if_the_site_is_configured() -> None:
    assert "open_positions" not in TapPersonio(config={"optional_streams": ["*"]}, validate_config=False).streams
    with_site = TapPersonio(config={"careers_url": "https://acme.jobs.personio.com"}, validate_config=False)
    assert "open_positions" in with_site.streams


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Ba\x0bker", "Baker"),
        ("Ba&#11;ker&#x1F;", "Baker"),
        ("\x1b[1mCook\uffff", "[1mCook"),
        ("a&nbsp;b &euro;&auml;&amp;&lt;&#65;", "a\xa0b €ä&<A"),
        ("R&D, 1 < 2, &unheard; &#99999999;", "R&D, 1 < 2, &unheard; &#99999999;"),
        ("<![CDATA[&nbsp; <b>\x0b</b>]]>", "&nbsp; <b></b>"),
        ("half \ud83d, whole \ud83d\ude00", "half \ufffd, whole 😀"),
    ],
)
def test_invalid_xml_loses_nothing_but_itself(
    read_position: Callable[[str], dict[str, Any]], text: str, name: str
) -> None:
    record = read_position(f"<id>1</id><name>{text}</name><office>Köln</office>")
    assert (record["name"], record["office"]) == (name, "Köln")


@pytest.mark.parametrize(
    "body",
    [
        make_feed("<id>1</id><name>Caf\xe9</name>").decode().encode("latin-1"),
        make_feed("<id>1</id><name>Caf\xe9</name>").replace(b"UTF-8", b"ISO-8859-1").decode().encode("latin-1"),
        b"\n\n" + make_feed("<id>1</id><name>Caf\xe9</name>"),
        b"\xef\xbb\xbf" + make_feed("<id>1</id><name>Caf\xe9</name>"),
        make_feed("<id>1</id><name>Caf\xe9</name>").decode().replace("UTF-8", "UTF-16").encode("utf-16"),
    ],
    ids=["another encoding", "it says so", "blank lines", "a mark", "two bytes each"],
)
def test_feed_in_any_encoding_is_read(read_position: Callable[[bytes], dict[str, Any]], body: bytes) -> None:
    assert read_position(body)["name"] == "Café"


def test_elements_keep_their_names_except_in_known_lists(read_position: Callable[[str], dict[str, Any]]) -> None:
    record = read_position(
        "<id>1</id><workplaceType>hybrid</workplaceType><additionalOffices><office>A</office><office>B</office>"
        "</additionalOffices><jobDescriptions><jobDescription><name>A</name><value><p>x &amp; y</p><ul/></value>"
        "</jobDescription></jobDescriptions><salaryInformation><min>3000</min><max>4000.50</max><type>monthly</type>"
        "</salaryInformation><hours><week>40</week></hours><benefits><benefit>a</benefit><benefit>b</benefit></benefits>"
        '<text>so <b>it</b> is</text><tag lang="de">x</tag>'
    )
    assert record["workplaceType"] == "hybrid"
    assert record["additionalOffices"] == ["A", "B"]
    assert record["jobDescriptions"] == [{"name": "A", "value": "<p>x &amp; y</p><ul/>"}]
    assert record["salaryInformation"] == {"min": 3000, "max": 4000.5, "type": "monthly"}
    assert record["_extra"] == {
        "hours": {"week": "40"},
        "benefits": {"benefit": ["a", "b"]},
        "text": "so <b>it</b> is",
        "tag": "x",
        "tag@lang": "de",
    }
    alone = read_position("<id>1</id><salaryInformation><currencyCode>EUR</currencyCode></salaryInformation>")
    assert alone["salaryInformation"] == {"currencyCode": "EUR"}


def test_two_thousand_levels_are_kept(read_position: Callable[[str], dict[str, Any]]) -> None:
    levels = 2000
    record = read_position(f"<id>1</id><deep>{'<x>' * levels}end{'</x>' * levels}</deep>")
    found, depth = record["_extra"]["deep"], 0
    while isinstance(found, dict):
        found, depth = found["x"], depth + 1
    assert 0 < depth < levels
    assert depth + found.count("<x>") == levels
    assert "end" in found


@pytest.mark.parametrize(
    "body",
    [
        b"<!doctype html><title>Sign in</title>",
        b'<!DOCTYPE x [<!ENTITY e "aaaa">]><workzag-jobs><position><id>&e;</id></position></workzag-jobs>',
        b"<feed><position><id>1</id></position></feed>",
        b'{"error": "no"}',
    ],
    ids=["a page", "entities", "another feed", "no XML"],
)
def test_response_that_is_no_feed_is_not_retried_and_names_the_setting(
    run: Callable[..., Any], personio: Any, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    site = personio(lambda request: Response(body, headers=XML))
    fails: list[Exception] = []
    output = run(personio(fail_on_request).url, "open_positions", careers_url=site.url, fails=fails)
    assert output.records("open_positions") == []
    assert "open_positions" in str(fails[0])
    assert "`careers_url`" in caplog.text
    assert len(site.requests) <= len(LANGUAGES)


@pytest.mark.parametrize(
    "missing",
    [
        Response(b"<html>nope</html>", 404),
        Response(b"<!doctype html><title>Are you a human?</title>", 403, {"Content-Type": "text/html"}),
        Response(b"<!doctype html><title>Are you a human?</title>", 405, {"Content-Type": "text/html"}),
        Response(b"<!doctype html><title>Are you a human?</title>", 200, {"Content-Type": "text/html"}),
        Response(b"", 307),
        Response(b"", 202),
    ],
    ids=["404", "403", "405", "a page", "307", "202"],
)
def test_language_without_a_feed_is_named_and_keeps_its_rows(
    run: Callable[..., Any], personio: Any, missing: Response, caplog: pytest.LogCaptureFixture
) -> None:
    there = {"de", "it"}

    def respond(request: ReceivedRequest) -> Response:
        language = request.query["language"]
        return Response(make_feed(f"<id>1</id><name>{language}</name>"), headers=XML) if language in there else missing

    site, vendor = personio(respond), personio(fail_on_request)
    settings: dict[str, Any] = {"careers_url": site.url, "careers_languages": ["de", "it"]}
    first = run(vendor.url, "open_positions", **settings)
    assert len(first.messages_of("ACTIVATE_VERSION")) == 1
    there.remove("it")
    second = run(vendor.url, "open_positions", state=first.state, **settings)
    assert [row["language"] for row in second.records("open_positions")] == ["de"]
    assert second.messages_of("ACTIVATE_VERSION") == []
    assert f"no row is marked as deleted in this run: it, {site.url}. " in caplog.text
    assert "`careers_languages`" in caplog.text
    assert len(site.requests) == 4


def test_language_without_positions_is_not_missing(run: Callable[..., Any], personio: Any) -> None:
    answers = {"de": Response(make_feed("<id>1</id>"), headers=XML), "it": EMPTY, "fr": Response(b"", 204)}
    site = personio(lambda request: answers[request.query["language"]])
    output = run(personio(fail_on_request).url, "open_positions", careers_url=site.url, careers_languages=list(answers))
    assert len(output.messages_of("ACTIVATE_VERSION")) == 1


def test_truncated_feed_is_requested_again(
    run: Callable[..., Any], personio: Any, caplog: pytest.LogCaptureFixture
) -> None:
    whole = make_feed("<id>1</id><name>Cook</name>")
    bodies = [whole[: len(whole) // 2], b"", whole]
    site = personio(lambda request: Response(bodies.pop(0), headers=XML))
    output = run(personio(fail_on_request).url, "open_positions", careers_url=site.url, careers_languages=["de"])
    assert [record["name"] for record in output.records("open_positions")] == ["Cook"]


def test_wrong_site_address_is_named(run: Callable[..., Any], personio: Any, caplog: pytest.LogCaptureFixture) -> None:
    site = personio(lambda request: Response(b"nothing here", 404))
    run(personio(fail_on_request).url, "open_positions", careers_url=site.url, fails=[])
    assert "Check `careers_url`" in caplog.text


def test_invalid_site_address_is_reported_without_its_content() -> None:
    with pytest.raises(ConfigValidationError) as error:
        TapPersonio(config={"client_id": "a", "client_secret": "b", "careers_url": "acme secret"})
    (sentence,) = error.value.errors
    assert sentence.startswith("Set `careers_url` to an address")
    assert "acme secret" not in sentence


def test_field_named_like_a_position_is_not_a_position() -> None:
    root, _ = parse_feed(b"<workzag-jobs><position><id>1</id><position>Cook</position></position></workzag-jobs>")
    assert read_positions(root) == [{"id": "1", "position": "Cook"}]


def test_broken_feed_with_many_blanks_is_repaired_quickly() -> None:
    blanks = b" " * 200_000
    began = time.monotonic()
    root, mended = parse_feed(b"<workzag-jobs><position><name>a&nbsp;" + blanks + b"b</name></position></workzag-jobs>")
    assert time.monotonic() - began < 10  # it grew with the square of the blanks
    assert mended
    assert read_positions(root)[0]["name"].endswith(" b")
