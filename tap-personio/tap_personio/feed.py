"""The XML feed of a career site: well-formed or nearly, and what its elements hold."""

from __future__ import annotations

import re
from html import escape
from html.entities import html5
from typing import Any

from lxml import etree
from singer_rest import TapError

ROOT = "workzag-jobs"
LISTS = {"jobDescriptions": "jobDescription", "additionalOffices": "office"}
"""Elements that are lists, and what their items are called; all others are objects."""
MARKUP = {("jobDescription", "value"), ("jobDescription", "name")}
"""Elements whose children are markup of a text, with those that they stand in."""
DEEPEST = 20
"""Levels that are read as objects; what lies deeper stays as it is, for few can read it."""

_PROLOG = re.compile(r"\ufeff?(?:\s|<\?.*?\?>|<!--.*?-->)*", re.DOTALL)
_NAME = re.compile(r"<(?:[\w.-]+:)?([\w.-]+)")
_DECLARATION = re.compile(r"<\?xml\b.*?\?>", re.DOTALL)
_ENCODING = re.compile(rb"<\?xml[^>]*?encoding\s*=\s*[\"']([\w.-]+)[\"']")
_CDATA = re.compile(r"(<!\[CDATA\[.*?\]\]>)", re.DOTALL)
_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NO_MARKUP = re.compile(r"&(?:#(\d+);|#[xX]([0-9a-fA-F]+);|([A-Za-z][A-Za-z0-9]*);)?|<(?![^\W\d]|[/!?:])")
_PREDEFINED = {"amp", "lt", "gt", "quot", "apos"}
_LAST_CHARACTER = 0x10FFFF
_HEAD = 4096


def is_feed(body: bytes) -> bool:
    """Whether a body begins as a feed does; one that holds nothing may be one that was cut off."""
    head = body[:_HEAD].decode("utf-16" if body[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8", "replace")
    text = _PROLOG.sub("", _NO_XML.sub("", head), count=1)
    first = _NAME.match(text)
    return not text or text.startswith(("<?", "<!--")) or (first is not None and first.group(1) == ROOT)


def read(body: bytes) -> tuple[etree._Element, bool]:
    """The root of a feed, and whether it had to be mended: of characters and entities that XML does not know.

    Raises:
        ValueError: If it is not XML, or breaks off.
        TapError: If it is nested so deeply that it cannot be read.
    """
    try:
        return _parsed(body), False
    except ValueError:
        return _parsed(_mended(_text(body)).encode()), True


def _parsed(body: bytes) -> etree._Element:
    # Neither entities nor addresses in the document are followed.
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True, huge_tree=True
    )
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        if "depth" in str(error).lower():
            raise TapError("The feed of the career site is nested too deeply to be read.") from None
        raise ValueError("not XML") from None
    if root.getroottree().docinfo.doctype:
        raise ValueError("not the feed of a career site")
    return root


def _text(body: bytes) -> str:
    """The body as text; bytes that its encoding does not know are read as Windows does, so that none is lost."""
    found = _ENCODING.match(body.lstrip())
    try:
        return body.decode(found.group(1).decode() if found else "utf-8-sig")
    except (LookupError, UnicodeDecodeError):
        pass
    try:  # halves of surrogate pairs, which some write one by one
        return body.decode("utf-8-sig", "surrogatepass").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    except UnicodeDecodeError:
        text = body.decode("utf-8-sig", "surrogateescape")
    return re.sub("[\udc80-\udcff]", lambda byte: bytes([ord(byte[0]) - 0xDC00]).decode("cp1252", "replace"), text)


def _mended(text: str) -> str:
    """The text without what XML does not know: control characters, HTML's entities, marks that begin no markup."""
    parts = _CDATA.split(_NO_XML.sub("", _DECLARATION.sub("", text, count=1)).strip())
    return "".join(part if number % 2 else _NO_MARKUP.sub(_escaped, part) for number, part in enumerate(parts))


def _escaped(found: re.Match[str]) -> str:
    decimal, hexadecimal, name = found.groups()
    if decimal or hexadecimal:
        digits = (decimal or hexadecimal).lstrip("0")[:8]
        number = int(digits or "0", 10 if decimal else 16)
        if number <= _LAST_CHARACTER:
            return "" if _NO_XML.match(chr(number)) else found[0]
    elif name in _PREDEFINED:
        return found[0]
    elif name and f"{name};" in html5:
        return escape(html5[f"{name};"])
    return escape(found[0])


def positions(root: etree._Element) -> list[dict[str, Any]]:
    """The positions of a feed, each an object by the names of its elements."""
    found = root.iter("{*}position")
    # One within another is a field of it.
    return [_by_name(element, 1) for element in found if next(element.iterancestors("{*}position"), None) is None]


def _content(element: etree._Element, depth: int) -> Any:  # noqa: ANN401 - text, an object, or a list of either
    """What an element holds: its text, a list where it is one by its name, else an object by its children's names."""
    children = list(element)
    parent = element.getparent()
    is_markup = parent is not None and (_name(parent), _name(element)) in MARKUP
    if not children:
        return element.text
    if is_markup or depth >= DEEPEST or any((text or "").strip() for text in _texts_between(element)):
        return _inner(element)
    if {_name(child) for child in children} == {LISTS.get(_name(element))}:
        return [_item(child, depth + 1) for child in children]
    return _by_name(element, depth)


def _item(element: etree._Element, depth: int) -> Any:  # noqa: ANN401
    content = _content(element, depth)
    attributes = _attributes(element)
    return {**attributes, "#text": content} if attributes and not isinstance(content, dict) else content


def _by_name(element: etree._Element, depth: int) -> dict[str, Any]:
    """An element's attributes and children by name; children with the same name as a list."""
    content: dict[str, Any] = _attributes(element)
    lists = set()
    for child in element:
        name = _name(child)
        value = _content(child, depth + 1)
        if name not in content:
            content[name] = value
        elif name in LISTS and isinstance(content[name], list) and isinstance(value, list):
            content[name] += value
        elif name in lists:
            content[name].append(value)
        else:
            content[name] = [content[name], value]
            lists.add(name)
        if not isinstance(value, dict):
            content |= {f"{name}{key}": text for key, text in _attributes(child).items()}
    return content


def _texts_between(element: etree._Element) -> list[str | None]:
    return [element.text, *(child.tail for child in element)]


def _inner(element: etree._Element) -> str:
    """What an element holds, as it is written."""
    return escape(element.text or "", quote=False) + "".join(
        etree.tostring(child, encoding="unicode") for child in element
    )


def _attributes(element: etree._Element) -> dict[str, Any]:
    return {f"@{etree.QName(name).localname}": value for name, value in element.attrib.items()}


def _name(element: etree._Element) -> str:
    return str(etree.QName(element).localname)
