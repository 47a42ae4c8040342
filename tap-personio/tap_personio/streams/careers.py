"""The public career site."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from singer_rest import Meaning, ParsedBody, Reply, Request, Slice, Slices
from typing_extensions import override

from tap_personio import feed
from tap_personio.v1 import V1Stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lxml import etree
    from singer_rest import ParentIds, Transport, Window

LANGUAGES = ("de", "en", "fr", "es", "nl", "it", "pt", "sv", "fi", "pl", "cs")
"""The languages that career sites support."""


def site_addresses(setting: str | list[str] | None) -> list[str]:
    """Returns the addresses in `careers_url`: a list, or text that separates them by commas."""
    texts = setting.split(",") if isinstance(setting, str) else setting or []
    return list(dict.fromkeys(text.strip().rstrip("/").removesuffix("/xml") for text in texts if text.strip()))


class SitesAndLanguages(Slices):
    """One slice per career site and language.

    Args:
        sites: The addresses of the sites.
        languages: The languages.
    """

    path_params = ("site",)

    def __init__(self, sites: list[str], languages: list[str]) -> None:
        self._slices = [
            Slice({"language": language}, path={"site": site}, columns={"language": language, "site": site})
            for site in sites
            for language in languages
        ]

    @override
    def plan(self, window: Window, parents: ParentIds | None) -> Iterator[Slice | None]:
        yield from self._slices


class OpenPositions(V1Stream):
    """One row per opening on a career site and language.

    One request per site and language.
    """

    name = "open_positions"
    path = "{site}/xml"
    permission = None
    primary_keys = ("id", "language")
    setting = "careers_url"
    unreadable_advice = "If the site does not have these languages, leave them out of `careers_languages`."
    all_unreadable = (
        "the career site returns an error or a web page instead of its feed in every language. Check `careers_url`; "
        "if it is right, the site blocks the tap as a robot: run again later."
    )

    @property
    @override
    def slices(self) -> SitesAndLanguages:
        languages = (str(language).strip().lower() for language in self.config.get("careers_languages") or LANGUAGES)
        return SitesAndLanguages(site_addresses(self.config.get("careers_url")), list(dict.fromkeys(languages)))

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
        root, mended = feed.parse_feed(reply.body)
        if mended:
            self.logger.warning(
                "%s: a feed held characters or entities that XML does not allow; it was repaired.", self.name
            )
        return root

    @override
    def parse(self, body: Any, request: Request) -> ParsedBody:
        return ParsedBody(feed.read_positions(body))

    @override
    def classify(self, reply: Reply, request: Request) -> Meaning | Request:
        # A site may lack a language or ask for a CAPTCHA; other languages may still be readable.
        if reply.status == HTTPStatus.OK:
            return Meaning.RECORDS if feed.is_feed(reply.body) else Meaning.UNREADABLE
        return Meaning.NO_RECORDS if reply.status == HTTPStatus.NO_CONTENT else Meaning.UNREADABLE
