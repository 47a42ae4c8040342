"""The public career site."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from singer_rest import Meaning, ParamValues, Parsed, Reply, Request
from typing_extensions import override

from tap_personio import feed
from tap_personio.v1 import V1Stream

if TYPE_CHECKING:
    from lxml import etree
    from singer_rest import Transport

LANGUAGES = ("de", "en", "fr", "es", "nl", "it", "pt", "sv", "fi", "pl", "cs")
"""The languages that career sites support."""


class OpenPositions(V1Stream):
    """One row per opening on the career site and language.

    One request per language.
    """

    name = "open_positions"
    path = "/xml"
    permission = None
    primary_keys = ("id", "language")
    setting = "careers_url"
    unreadable_advice = "If the site does not have these languages, leave them out of `careers_languages`."
    all_unreadable = (
        "the career site answers with an error or a page instead of its feed in each language. Check `careers_url`; "
        "if it is right, the site takes the tap for a robot: run again later."
    )

    @property
    @override
    def slices(self) -> ParamValues:
        languages = (str(language).strip().lower() for language in self.config.get("careers_languages") or LANGUAGES)
        return ParamValues("language", *dict.fromkeys(languages), column="language")

    @property
    @override
    def authenticator(self) -> None:  # type: ignore[override] # the site is public
        return None

    @property
    @override
    def transport(self) -> Transport:
        return self._tap.careers

    @override
    def decode(self, reply: Reply) -> etree._Element:
        root, mended = feed.read(reply.body)
        if mended:
            self.logger.warning(
                "%s: a feed held characters or entities that XML does not allow; it was repaired.", self.name
            )
        return root

    @override
    def parse(self, body: Any, request: Request) -> Parsed:
        return Parsed(feed.positions(body))

    @override
    def classify(self, reply: Reply, request: Request) -> Meaning | Request:
        # A site may lack a language or ask for a CAPTCHA; other languages may still be readable.
        if reply.status == HTTPStatus.OK:
            return Meaning.RECORDS if feed.is_feed(reply.body) else Meaning.UNREADABLE
        return Meaning.NO_RECORDS if reply.status == HTTPStatus.NO_CONTENT else Meaning.UNREADABLE
