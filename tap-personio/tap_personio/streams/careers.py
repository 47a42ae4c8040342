"""The public career site."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from lxml import etree
from singer_rest import Meaning, Parsed, Reply, Request, Values
from typing_extensions import override

from tap_personio.v1 import V1Stream

if TYPE_CHECKING:
    from singer_rest.transport import Transport


class OpenPositions(V1Stream):
    """One row per opening on the career site and language. Right: none, the site is public."""

    name = "open_positions"
    path = "/xml"
    primary_keys = ("id", "language")
    slices = Values("language", "de", "en", "fr", "es", "nl", "it", "pt", column="language")
    setting = "careers_url"

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
        # Neither entities nor addresses in the document are followed.
        parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True)
        try:
            root = etree.fromstring(reply.body, parser)
        except etree.XMLSyntaxError:
            raise ValueError("not XML") from None
        if root.tag != "workzag-jobs" or root.getroottree().docinfo.doctype:
            raise ValueError("not the feed of a career site")
        return root

    @override
    def parse(self, body: Any, request: Request) -> Parsed:
        return Parsed([_by_name(position) for position in body.iter("position")])

    @override
    def classify(self, reply: Reply, request: Request) -> Meaning | Request:
        return Meaning.RECORDS if reply.status == HTTPStatus.OK else Meaning.ERROR

    @override
    def advice(self, status: int) -> str:
        return "Check `careers_url`."


def _content(element: etree._Element) -> Any:  # noqa: ANN401 - text, an object, or a list of either
    """What an element holds: text, or its children: one by name, or a list of those with the same name."""
    children = list(element)
    if not children:
        return element.text
    if len({child.tag for child in children}) == 1:
        return [_content(child) for child in children]
    return _by_name(element)


def _by_name(element: etree._Element) -> dict[str, Any]:
    """An element's children by name; those with the same name as a list."""
    content: dict[str, Any] = {}
    for child in element:
        name = str(child.tag)
        if name not in content:
            content[name] = _content(child)
        elif isinstance(content[name], list):
            content[name].append(_content(child))
        else:
            content[name] = [content[name], _content(child)]
    return content
