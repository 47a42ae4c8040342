"""Edits of JSON response bodies: totals and next links of lists, and token responses."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from faults.wire import Request

Edit = Callable[[Any, "Request"], bool]
"""Changes a document in place. Returns whether there was anything to change."""

TOTAL_KEYS = {"total", "total_elements", "totalrecords", "@odata.count", "totalcount"}
TOKEN_KEYS = {"access_token", "token"}
BILLION = 10**9


def apply_edit(body: bytes, edit: Edit, request: Request) -> bytes | None:
    """Applies an edit to a body. Returns None if it does not apply."""
    try:
        document = json.loads(body)
    except ValueError:
        return None
    return json.dumps(document).encode() if edit(document, request) else None


def find_enclosing_objects(document: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - any JSON
    """Yields the objects that enclose a document's rows, but not the rows themselves."""
    if isinstance(document, dict):
        yield document
        for value in document.values():
            yield from find_enclosing_objects(value)


def find_row_lists(document: Any) -> Iterator[list[Any]]:  # noqa: ANN401 - any JSON
    """Yields the lists of rows: non-empty arrays of objects at the top level or inside enclosing objects."""
    found = (
        [document]
        if isinstance(document, list)
        else [v for one in find_enclosing_objects(document) for v in one.values()]
    )
    for value in found:
        if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
            yield value


def make_row_edit(change: Callable[[list[Any]], list[Any]]) -> Edit:
    """Returns an edit that replaces the first list of rows."""

    def edit(document: Any, _request: Request) -> bool:  # noqa: ANN401
        for rows in find_row_lists(document):
            rows[:] = change(rows)
            return True
        return False

    return edit


def _find_totals(document: Any) -> Iterator[tuple[dict[str, Any], str]]:  # noqa: ANN401
    for one in find_enclosing_objects(document):
        for name in one:
            if name.lower() in TOTAL_KEYS and one[name] is not None and str(one[name]).isdigit():
                yield one, name


def _make_total_edit(change: Callable[[int], Any]) -> Edit:
    def edit(document: Any, _request: Request) -> bool:  # noqa: ANN401
        changed = False
        for one, name in list(_find_totals(document)):
            one[name] = change(int(one[name]))
            changed = True
        return changed

    return edit


def _drop_half(document: Any, request: Request) -> bool:  # noqa: ANN401
    """Drops half of the rows and keeps the total."""
    if not any(int(one[name]) for one, name in _find_totals(document)):
        return False
    return make_row_edit(lambda rows: rows[: len(rows) // 2])(document, request)


def _drop_all(document: Any, request: Request) -> bool:  # noqa: ANN401
    if not any(int(one[name]) for one, name in _find_totals(document)):
        return False
    return make_row_edit(lambda _rows: [])(document, request)


TOTAL_EDITS: dict[str, Edit] = {
    "total too high": _make_total_edit(lambda number: number + 7),
    "total too low": _make_total_edit(lambda number: max(0, number - 1)),
    "total 0": _make_total_edit(lambda _: 0),
    "total of a billion": _make_total_edit(lambda _: BILLION),
    "negative total": _make_total_edit(lambda _: -1),
    "total as string": _make_total_edit(str),
    "non-numeric total": _make_total_edit(lambda _: "many"),
    "total null": _make_total_edit(lambda _: None),
    "fractional total": _make_total_edit(lambda number: number + 0.5),
    "half of the rows missing, total correct": _drop_half,
    "all rows missing, total correct": _drop_all,
}


def _find_links(document: Any) -> Iterator[tuple[dict[str, Any], str]]:  # noqa: ANN401
    """Yields the objects and keys that hold a next link, page token or cursor."""
    for one in find_enclosing_objects(document):
        for name, value in one.items():
            low = name.lower()
            if (
                isinstance(value, str)
                and value
                and (low.endswith(("nextlink", "nextpagetoken")) or low == "end_cursor")
            ):
                yield one, name
            elif low == "next" and isinstance(value, dict) and isinstance(value.get("href"), str):
                yield value, "href"


def _make_link_edit(change: Callable[[str, Request], Any], *, needs_flag: bool = False) -> Edit:
    """Returns an edit that replaces the next link.

    Args:
        change: Returns the new link.
        needs_flag: Only apply if `has_next_page` says that another page follows.
    """

    def edit(document: Any, request: Request) -> bool:  # noqa: ANN401
        changed = False
        if needs_flag and not any(one.get("has_next_page") is True for one in find_enclosing_objects(document)):
            return False
        for one, name in list(_find_links(document)):
            one[name] = change(one[name], request)
            changed = True
        return changed

    return edit


def _change_host(link: str, _request: Request) -> str:
    scheme, _, rest = link.partition("://")
    return f"{scheme}://vendor.invalid/{rest.partition('/')[2]}" if rest else f"http://vendor.invalid/{link}"


def _link_to_same_page(link: str, request: Request) -> str:
    if "/" not in link and "?" not in link:  # a token or a cursor: repeat that of this page
        query = dict(pair.split("=", 1) for pair in request.target.partition("?")[2].split("&") if "=" in pair)
        return next((query[name] for name in ("after_id", "pageToken", "pagetoken") if name in query), link)
    host = next((text for name, text in request.headers if name.lower() == "host"), "")
    return f"http://{host}{request.target}"


def _remove_next_page(document: Any, _request: Request) -> bool:  # noqa: ANN401
    """Says that no page follows, although the total says otherwise."""
    changed = False
    for one in find_enclosing_objects(document):
        if one.get("has_next_page") is True and one.get("total"):
            one.update(has_next_page=False, end_cursor=None)
            changed = True
    return changed


def _set_has_next_page(value: Any) -> Edit:  # noqa: ANN401
    def edit(document: Any, _request: Request) -> bool:  # noqa: ANN401
        found = [one for one in find_enclosing_objects(document) if one.get("has_next_page") is True]
        for one in found:
            one["has_next_page"] = value
        return bool(found)

    return edit


LINK_EDITS: dict[str, Edit] = {
    "next link to the same page": _make_link_edit(_link_to_same_page),
    "next link to another host": _make_link_edit(_change_host),
    "malformed next link": _make_link_edit(lambda _edit_link, _request: "::: no link"),
    "next link with unusual characters": _make_link_edit(lambda link, _request: f"{link}\u2028é\x00"),
    "next link is a number": _make_link_edit(lambda _edit_link, _request: 17),
    "next link is an object": _make_link_edit(lambda _edit_link, _request: {"href": 1}),
    "next link missing, more pages announced": _make_link_edit(lambda _edit_link, _request: None, needs_flag=True),
    "next link empty, more pages announced": _make_link_edit(lambda _edit_link, _request: "", needs_flag=True),
    "no next page, total announces more": _remove_next_page,
    "has_next_page as string": _set_has_next_page("true"),
    "has_next_page as 1": _set_has_next_page(1),
}


def _make_token_edit(change: Callable[[dict[str, Any], str], None]) -> Edit:
    def edit(document: Any, _request: Request) -> bool:  # noqa: ANN401
        for one in find_enclosing_objects(document):
            for name in TOKEN_KEYS & one.keys():
                change(one, name)
                return True
        return False

    return edit


def _set_token(value: Any) -> Edit:  # noqa: ANN401
    return _make_token_edit(lambda one, name: one.__setitem__(name, value))


def _set_lifetime(value: Any) -> Edit:  # noqa: ANN401
    return _make_token_edit(lambda one, _name: one.__setitem__("expires_in", value))


def _set_refresh_token(value: Any) -> Edit:  # noqa: ANN401
    def edit(document: Any, _request: Request) -> bool:  # noqa: ANN401
        if not isinstance(document, dict) or "refresh_token" not in document:
            return False
        document["refresh_token"] = value
        return True

    return edit


TOKEN_EDITS: dict[str, Edit] = {
    "lifetime missing": _make_token_edit(lambda one, _name: one.pop("expires_in", None)),
    "lifetime as string": _set_lifetime("3600"),
    "lifetime 0": _set_lifetime(0),
    "negative lifetime": _set_lifetime(-1),
    "lifetime 1": _set_lifetime(1),
    "lifetime null": _set_lifetime(None),
    "non-numeric lifetime": _set_lifetime("soon"),
    "lifetime is a list": _set_lifetime([]),
    "lifetime of 400 digits": _set_lifetime(int("9" * 400)),
    "lifetime 1e300": _set_lifetime(1e300),
    "lifetime NaN": _set_lifetime(float("nan")),
    "token null": _set_token(None),
    "token empty": _set_token(""),
    "token blank": _set_token("  "),
    "token with a line break": _set_token("two\r\nX-Evil: lines"),
    "token with non-ASCII characters": _set_token("tökén 𝒳"),
    "token is a number": _set_token(17),
    "token is an object": _set_token({"a": 1}),
    "token missing": _make_token_edit(lambda one, name: one.pop(name, None)),
    "refresh token null": _set_refresh_token(None),
    "refresh token empty": _set_refresh_token(""),
    "refresh token is a number": _set_refresh_token(17),
}
