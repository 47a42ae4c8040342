"""The public career site."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from singer_rest.testing import Answer, Asked
from singer_sdk.exceptions import ConfigValidationError
from tap_personio.tap import TapPersonio

if TYPE_CHECKING:
    from collections.abc import Callable


def unasked(asked: Asked) -> Answer:
    """A vendor that is not needed."""
    raise AssertionError(asked.path)


FEED = """<?xml version="1.0" encoding="UTF-8"?>
<workzag-jobs><!-- two --><position>
  <id>410</id><office>Köln</office><additionalOffices><office>Łódź</office></additionalOffices><name>{name}</name>
  <jobDescriptions><jobDescription><name>Aufgaben</name><value><![CDATA[<p>a &amp; b</p>]]></value></jobDescription>
  <jobDescription><name>Profil</name><value/></jobDescription></jobDescriptions>
  <createdAt>2016-05-31T12:14:07+0200</createdAt></position></workzag-jobs>"""
XML = {"Content-Type": "application/xml"}


def test_open_positions_are_read_in_each_language_without_a_token_even_where_the_site_has_moved(
    run: Callable[..., Any], personio: Any
) -> None:
    site = personio(lambda asked: Answer(FEED.replace("{name}", asked.query["language"]).encode(), headers=XML))
    moved = personio(lambda asked: Answer(b"", 307, {"Location": f"{site.url}/xml?language={asked.query['language']}"}))
    vendor = personio(unasked)
    output = run(vendor.url, "open_positions", careers_url=f"{moved.url}/xml")
    records = output.records("open_positions")
    assert [record["language"] for record in records] == ["de", "en", "fr", "es", "nl", "it", "pt"]
    assert records[0] == {
        "id": 410,
        "language": "de",
        "office": "Köln",
        "additionalOffices": ["Łódź"],
        "name": "de",
        "jobDescriptions": [{"name": "Aufgaben", "value": "<p>a &amp; b</p>"}, {"name": "Profil", "value": None}],
        "createdAt": "2016-05-31T10:14:07Z",
    }
    assert vendor.asked == []
    assert all("Authorization" not in asked.headers for asked in site.asked)


def test_open_positions_are_offered_only_with_the_address_of_the_site() -> None:
    assert "open_positions" not in TapPersonio(config={"optional_streams": ["*"]}, validate_config=False).streams
    with_site = TapPersonio(config={"careers_url": "https://acme.jobs.personio.com"}, validate_config=False)
    assert "open_positions" in with_site.streams


@pytest.mark.parametrize(
    "body",
    [
        b"<!doctype html><title>Sign in</title>",
        b"<workzag-jobs><position><id>1</id>",
        b'<!DOCTYPE x [<!ENTITY e "aaaa">]><workzag-jobs><position><id>&e;</id></position></workzag-jobs>',
        b"<feed><position><id>1</id></position></feed>",
    ],
    ids=["a page", "broken off", "entities", "another feed"],
)
def test_a_feed_that_is_none_fails_its_stream_and_emits_nothing(
    run: Callable[..., Any], personio: Any, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    site = personio(lambda asked: Answer(body, headers=XML))
    fails: list[Exception] = []
    output = run(personio(unasked).url, "open_positions", careers_url=site.url, fails=fails)
    assert output.records("open_positions") == []
    assert "the body is not what was promised" in caplog.text


def test_a_wrong_address_of_the_site_is_named(
    run: Callable[..., Any], personio: Any, caplog: pytest.LogCaptureFixture
) -> None:
    site = personio(lambda asked: Answer(b"nothing here", 404))
    run(personio(unasked).url, "open_positions", careers_url=site.url, fails=[])
    assert "Check `careers_url`." in caplog.text


def test_an_address_of_the_site_that_is_none_is_a_sentence() -> None:
    with pytest.raises(ConfigValidationError) as error:
        TapPersonio(config={"client_id": "a", "client_secret": "b", "careers_url": "acme secret"})
    (sentence,) = error.value.errors
    assert sentence.startswith("Set `careers_url` to an address")
    assert "acme secret" not in sentence
