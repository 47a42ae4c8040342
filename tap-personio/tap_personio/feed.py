"""Parses the XML feed of a career site, even if it is not well-formed."""

from __future__ import annotations

import re
from html import escape
from html.entities import html5
from typing import Any

from lxml import etree
from singer_rest import TapError

ROOT = "workzag-jobs"
LISTS = {"jobDescriptions": "jobDescription", "additionalOffices": "office"}
"""Elements that are lists, with the names of their items. All others are objects."""
MARKUP = {("jobDescription", "value"), ("jobDescription", "name")}
"""Elements, with their parents, whose children are markup within a text."""
MAX_DEPTH = 20
"""Maximum depth of objects. Deeper elements are kept as XML."""

_PROLOG = re.compile(r"\ufeff?(?:\s|<\?.*?\?>|<!--.*?-->)*", re.DOTALL)
_NAME = re.compile(r"<(?:[\w.-]+:)?([\w.-]+)")
_DECLARATION = re.compile(r"<\?xml\b.*?\?>", re.DOTALL)
_ENCODING = re.compile(rb"<\?xml[^>]*?encoding\s*=\s*[\"']([\w.-]+)[\"']")
_CDATA = re.compile(r"(<!\[CDATA\[.*?\]\]>)", re.DOTALL)
_INVALID_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_STRAY_MARKUP = re.compile(r"&(?:#(\d+);|#[xX]([0-9a-fA-F]+);|([A-Za-z][A-Za-z0-9]*);)?|<(?![^\W\d]|[/!?:])")
_PREDEFINED = {"amp", "lt", "gt", "quot", "apos"}
_LAST_CHARACTER = 0x10FFFF
_HEAD = 4096


def is_feed(body: bytes) -> bool:
    """Whether a body starts like a feed. An empty one may be truncated."""
    head = body[:_HEAD].decode("utf-16" if body[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8", "replace")
    text = _PROLOG.sub("", _INVALID_XML.sub("", head), count=1)
    first = _NAME.match(text)
    return not text or text.startswith(("<?", "<!--")) or (first is not None and first.group(1) == ROOT)


def parse_feed(body: bytes) -> tuple[etree._Element, bool]:
    """Parses a feed. Returns the root element, and whether invalid characters or entities had to be repaired.

    Raises:
        ValueError: If it is not XML or is truncated.
        TapError: If it is nested too deeply to be read.
    """
    try:
        return _parse_root(body), False
    except ValueError:
        return _parse_root(_repair_xml(_decode_body(body)).encode()), True


def _parse_root(body: bytes) -> etree._Element:
    # External entities and URLs in the document are not followed.
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


def _decode_body(body: bytes) -> str:
    """Decodes the body. Bytes invalid in its encoding are decoded as Windows-1252, so that none is lost."""
    match = _ENCODING.match(body.lstrip())
    try:
        return body.decode(match.group(1).decode() if match else "utf-8-sig")
    except (LookupError, UnicodeDecodeError):
        pass
    try:  # surrogate halves that some encode one by one
        return body.decode("utf-8-sig", "surrogatepass").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    except UnicodeDecodeError:
        text = body.decode("utf-8-sig", "surrogateescape")
    return re.sub("[\udc80-\udcff]", lambda byte: bytes([ord(byte[0]) - 0xDC00]).decode("cp1252", "replace"), text)


def _repair_xml(text: str) -> str:
    """Removes or escapes what XML does not allow: control characters, HTML entities, stray markup."""
    parts = _CDATA.split(_INVALID_XML.sub("", _DECLARATION.sub("", text, count=1)).strip())
    return "".join(
        part if number % 2 else _STRAY_MARKUP.sub(_replace_with_escape, part) for number, part in enumerate(parts)
    )


def _replace_with_escape(match: re.Match[str]) -> str:
    decimal, hexadecimal, name = match.groups()
    if decimal or hexadecimal:
        digits = (decimal or hexadecimal).lstrip("0")[:8]
        number = int(digits or "0", 10 if decimal else 16)
        if number <= _LAST_CHARACTER:
            return "" if _INVALID_XML.match(chr(number)) else match[0]
    elif name in _PREDEFINED:
        return match[0]
    elif name and f"{name};" in html5:
        return escape(html5[f"{name};"])
    return escape(match[0])


def read_positions(root: etree._Element) -> list[dict[str, Any]]:
    """Returns the positions of a feed as objects with the names of their elements."""
    match = root.iter("{*}position")
    # A nested position is a field of the outer one.
    return [
        _convert_to_object(element, 1) for element in match if next(element.iterancestors("{*}position"), None) is None
    ]


def _convert_content(element: etree._Element, depth: int) -> Any:  # noqa: ANN401 - text, an object, or a list of either
    """Converts an element to its text, a list if its name is in `LISTS`, or an object."""
    children = list(element)
    parent = element.getparent()
    is_markup = parent is not None and (_local_name(parent), _local_name(element)) in MARKUP
    if not children:
        return element.text
    if is_markup or depth >= MAX_DEPTH or any((text or "").strip() for text in _texts_between(element)):
        return _inner_xml(element)
    if {_local_name(child) for child in children} == {LISTS.get(_local_name(element))}:
        return [_convert_item(child, depth + 1) for child in children]
    return _convert_to_object(element, depth)


def _convert_item(element: etree._Element, depth: int) -> Any:  # noqa: ANN401
    content = _convert_content(element, depth)
    attributes = _attributes_of(element)
    return {**attributes, "#text": content} if attributes and not isinstance(content, dict) else content


def _convert_to_object(element: etree._Element, depth: int) -> dict[str, Any]:
    """Converts an element to an object of its attributes and children. Children of the same name become a list."""
    content: dict[str, Any] = _attributes_of(element)
    lists = set()
    for child in element:
        name = _local_name(child)
        value = _convert_content(child, depth + 1)
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
            content |= {f"{name}{key}": text for key, text in _attributes_of(child).items()}
    return content


def _texts_between(element: etree._Element) -> list[str | None]:
    return [element.text, *(child.tail for child in element)]


def _inner_xml(element: etree._Element) -> str:
    """Returns the content of an element as XML."""
    return escape(element.text or "", quote=False) + "".join(
        etree.tostring(child, encoding="unicode") for child in element
    )


def _attributes_of(element: etree._Element) -> dict[str, Any]:
    return {f"@{etree.QName(name).localname}": value for name, value in element.attrib.items()}


def _local_name(element: etree._Element) -> str:
    return str(etree.QName(element).localname)
