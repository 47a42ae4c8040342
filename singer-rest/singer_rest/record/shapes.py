"""Replaces the values of responses and requests, and keeps their structure."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit
from xml.etree import ElementTree as ET

from singer_rest.record.names import PAGING, is_likely_vendor_field

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from singer_rest.record.names import KnownNames
    from singer_rest.record.pseudonyms import Pseudonyms

Keys = tuple[str, ...]

HOST = "https://recorded.invalid"
"""Stands for the vendor's host in links."""
FLAGS = frozenset({"success", "has_next_page", "has_previous_page", "has_more", "hasmore"})
ENVELOPES = frozenset({"meta", "_meta", "metadata", "pagination", "paging", "page", "links", "_links"})
ID = re.compile(r"id|ids|key|cursor|.*_ids?|.*[a-z]Ids?|.*_key", re.ASCII)
LINK = re.compile(r"href|url|uri|link|next|prev|self", re.IGNORECASE)
PARAM = re.compile(r"[!$@A-Za-z_.\[\]-]{1,40}")
"""Names of query parameters."""
WORD = re.compile(r"\$?[A-Za-z][A-Za-z-]*|[a-z]\d{1,2}", re.ASCII)
"""Segments of an endpoint that the tap has in its code: those that a company defines have an underscore."""
VERSION = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
ANNOTATION = re.compile(r"@[A-Za-z]+(\.[A-Za-z]+)*", re.ASCII)
"""Names of OData's annotations, such as ``@odata.count``."""
PUBLIC_SCHEMES = ("http://docs.oasis-open.org/", "http://schemas.microsoft.com/", "http://www.w3.org/")
NAME_ATTRIBUTES = frozenset(
    [
        "Alias",
        "BaseType",
        "EntityType",
        "EnumType",
        "Name",
        "Namespace",
        "Path",
        "Property",
        "Target",
        "Term",
        "Type",
        "UnderlyingType",
    ]
)
"""Attributes of OData metadata that name something."""
TERMS = frozenset({"Term"})
EDM = re.compile(
    r"Edm|Collection|Int16|Int32|Int64|Byte|Boolean|String|Decimal|Double|Single|Guid|Date|DateTime\w*|\w*Of\w*"
)
SMALL = re.compile(r"\d{1,3}(\.\d)?|true|false", re.ASCII)
TAG = re.compile(r"(\{[^}]*\})?(.*)", re.DOTALL)


class Shapes:
    """The shapes of one recording. Not thread-safe.

    Args:
        pseudonyms: Replaces values.
        known_names: The names and values that may be shown.
        api_url: The vendor's base URL.
    """

    def __init__(self, pseudonyms: Pseudonyms, known_names: KnownNames, api_url: str) -> None:
        self._pseudonyms = pseudonyms
        self._known_names = known_names
        self._lower = frozenset(name.lower() for name in known_names.names)
        self._api = urlsplit(api_url)
        self._names: dict[str, str] = {}
        """The replacement of each name, once it is decided."""
        self._words: set[str] = set()
        """Segments of endpoints that the tap has in its code."""
        self._iterate_strings: frozenset[str] = frozenset()

    @property
    def known(self) -> frozenset[str]:
        """Names of fields and segments of paths that may be shown."""
        return self._known_names.names | self._words

    def replace_json(self, body: Any) -> Any:  # noqa: ANN401 - JSON
        """Returns a decoded JSON body with every value replaced."""
        self._iterate_strings = frozenset(_iterate_strings(body))
        return self._replace_value(body, (), in_list=False)

    def replace_xml(self, body: bytes) -> dict[str, Any]:
        """Returns an XML body as nested objects with every value replaced.

        Raises:
            ValueError: If it is no XML, or declares entities of its own.
        """
        if b"<!DOCTYPE" in body:
            raise ValueError
        try:
            root = ET.fromstring(body)  # noqa: S314 - it has no entities of its own
        except ET.ParseError:
            raise ValueError from None
        return self._describe_element(root)

    def replace_path(self, path: str, endpoint: str) -> str:
        """Returns a request's path: the words of the endpoint, and pseudonyms of all else."""
        self._words |= {part for part in endpoint.split("/") if WORD.fullmatch(part) or VERSION.fullmatch(part)}
        return self._replace_segments(urlsplit(path).path)

    def replace_endpoint(self, endpoint: str) -> str:
        """Returns the template of a path without names that the company defines."""
        return "/".join(part if "{" in part else self._replace_segments(part) for part in endpoint.split("/"))

    def replace_params(self, pairs: Iterable[tuple[str, str]]) -> list[list[str]]:
        """Returns query parameters with every value replaced but the numbers of paging."""
        return [[self._replace_param_name(name), self._replace_param_value(name, value)] for name, value in pairs]

    def _replace_value(self, value: Any, keys: Keys, *, in_list: bool) -> Any:  # noqa: ANN401 - JSON
        if isinstance(value, dict):
            return {
                self._replace_key(key, value, keys): self._replace_value(part, (*keys, key), in_list=in_list)
                for key, part in value.items()
            }
        if isinstance(value, list):
            return [self._replace_value(part, keys, in_list=True) for part in value]
        field = keys[-1] if keys else ""
        is_paging = not in_list and all(key in ENVELOPES for key in keys[:-1])
        if isinstance(value, bool):
            return value if is_paging and field.lower() in FLAGS else self._pseudonyms.random_flag(*keys, str(value))
        if isinstance(value, (int, Decimal, float)):
            return self._replace_number(value, keys, is_kept=is_paging and field.lower() in PAGING)
        if isinstance(value, str):
            return self._replace_text(value, field, is_kept=is_paging and field.lower() in PAGING and value.isdecimal())
        return None

    def _replace_text(self, text: str, field: str, *, is_kept: bool) -> str:
        if is_kept or self._known_names.is_documented(field, text):
            return text
        if LINK.search(field) and (link := self._replace_link(text)):
            return link
        return self._pseudonyms.replace_text(text)

    def _replace_number(self, value: float | Decimal, keys: Keys, *, is_kept: bool) -> Any:  # noqa: ANN401 - JSON
        if is_kept or value == 0:
            return value
        digits = f"{value:f}" if isinstance(value, Decimal) and not value.is_nan() else str(value)
        if isinstance(value, int):
            is_id = any(ID.fullmatch(key) for key in keys[-2:])
            return int(self._pseudonyms.replace_text(digits) if is_id else self._pseudonyms.replace_number(digits))
        return Decimal(self._pseudonyms.replace_number(digits))

    def _replace_key(self, key: str, siblings: Iterable[str], parents: Keys) -> str:
        if key not in self._names and (
            ANNOTATION.fullmatch(key)
            or (
                key not in self._iterate_strings
                and is_likely_vendor_field(key, siblings, parents, self._known_names.names)
            )
        ):
            self._names[key] = key
        return self._replace_name(key)

    def _replace_name(self, name: str) -> str:
        """Returns a known name as it is, and the pseudonym of any other, the same everywhere."""
        if name not in self._names:
            self._names[name] = name if self._is_known(name) else self._pseudonyms.replace_text(name)
        return self._names[name]

    def _is_known(self, name: str) -> bool:
        return name in self._known_names.names or name.lower() in self._lower

    def _replace_segments(self, path: str) -> str:
        parts = path.split("/")
        return "/".join(
            part
            if part in self._words
            else self._replace_name(part)
            if part in self._names or self._is_known(part)
            else self._pseudonyms.replace_text(unquote(part))
            for part in parts
        )

    def _replace_link(self, text: str) -> str | None:
        """Returns a link to the API with its values replaced. None if it leads elsewhere."""
        try:
            link = urlsplit(text)
            host = link.hostname
        except ValueError:
            return None
        if host:
            if _second_level_domain(host) != _second_level_domain(self._api.hostname or ""):
                return None
            root, path = (
                HOST,
                link.path.removeprefix(self._api.path) if _is_below(link.path, self._api.path) else link.path,
            )
        elif link.scheme or not ("/" in text or "?" in text) or " " in text:
            return None
        else:
            root, path = "", link.path
        query = urlencode(
            [(name, value) for name, value in self.replace_params(parse_qsl(link.query, keep_blank_values=True))]
        )
        return (
            root
            + self._replace_segments(path)
            + (f"?{query}" if query else "")
            + (f"#{self._replace_name(link.fragment)}" if link.fragment else "")
        )

    def _replace_param_name(self, name: str) -> str:
        return name if PARAM.fullmatch(name) else self._replace_name(name)

    def _replace_param_value(self, name: str, value: str) -> str:
        if name.lower() in PAGING and value.isdecimal():
            return value
        return self._pseudonyms.replace_text(value)

    def _describe_element(self, element: ET.Element) -> dict[str, Any]:
        shape: dict[str, Any] = {"tag": self._replace_tag(element.tag)}
        if element.attrib:
            shape["attributes"] = {
                self._replace_tag(name): self._replace_attribute(name, text) for name, text in element.attrib.items()
            }
        if text := (element.text or "").strip():
            shape["text"] = self._pseudonyms.replace_text(text)
        if children := [self._describe_element(child) for child in element]:
            shape["children"] = children
        return shape

    def _replace_tag(self, tag: str) -> str:
        scheme, name = TAG.fullmatch(tag).groups()  # type: ignore[union-attr]
        if scheme and not scheme[1:].startswith(PUBLIC_SCHEMES):
            scheme = f"{{{self._pseudonyms.replace_text(scheme[1:-1])}}}"
        known = name in self._names or re.fullmatch(r"[A-Za-z]+", name)
        return (scheme or "") + (name if known else self._replace_name(name))

    def _replace_attribute(self, name: str, text: str) -> str:
        if SMALL.fullmatch(text):
            return text
        if name not in NAME_ATTRIBUTES:
            return self._pseudonyms.replace_text(text)
        parts = re.split(r"([./()])", text)
        return "".join(
            part
            if part in set("./()") or EDM.fullmatch(part) or (name in TERMS and re.fullmatch(r"[A-Za-z]+", part))
            else self._replace_name(part)
            for part in parts
        )


def flatten_properties(body: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - JSON
    """Yields the properties of a request's JSON body as parameters. The name is the path, such as ``page.after``."""
    left = [("", body)]
    while left:
        path, value = left.pop(0)
        if isinstance(value, dict):
            left += [(f"{path}.{name}" if path else name, part) for name, part in value.items()]
        elif isinstance(value, list):
            left += [(path, part) for part in value]
        elif value is not None:
            yield (
                path,
                value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value),
            )


def _iterate_strings(body: Any) -> Iterator[str]:  # noqa: ANN401 - JSON
    left = [body]
    while left:
        value = left.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            left += value.values()
        elif isinstance(value, list):
            left += value


def _second_level_domain(host: str) -> str:
    return ".".join(host.split(".")[-2:]) if not host.replace(".", "").isdigit() else host


def _is_below(path: str, prefix: str) -> bool:
    return bool(prefix) and f"{path}/".startswith(f"{prefix}/")
