"""Changes of JSON documents: what a list says of itself, what a token endpoint answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from faults.wire import Asked

Edit = Callable[[Any, "Asked"], bool]
"""Changes a document in place; whether there was anything to change."""

TOTAL = {"total", "total_elements", "totalrecords", "@odata.count", "totalcount"}
TOKEN = {"access_token", "token"}
BILLION = 10**9


def edited(body: bytes, edit: Edit, asked: Asked) -> bytes | None:
    """A body with a change; None where it cannot be made."""
    try:
        document = json.loads(body)
    except ValueError:
        return None
    return json.dumps(document).encode() if edit(document, asked) else None


def objects(document: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - any JSON
    """A document's objects around its rows, not those within."""
    if isinstance(document, dict):
        yield document
        for value in document.values():
            yield from objects(value)


def lists(document: Any) -> Iterator[list[Any]]:  # noqa: ANN401 - any JSON
    """The lists of rows: arrays that hold objects, the document itself or in its objects."""
    found = [document] if isinstance(document, list) else [v for one in objects(document) for v in one.values()]
    for value in found:
        if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
            yield value


def first_list(change: Callable[[list[Any]], list[Any]]) -> Edit:
    """Change the rows."""

    def edit(document: Any, _asked: Asked) -> bool:  # noqa: ANN401
        for rows in lists(document):
            rows[:] = change(rows)
            return True
        return False

    return edit


def _totals(document: Any) -> Iterator[tuple[dict[str, Any], str]]:  # noqa: ANN401
    for one in objects(document):
        for name in one:
            if name.lower() in TOTAL and one[name] is not None and str(one[name]).isdigit():
                yield one, name


def _total(change: Callable[[int], Any]) -> Edit:
    def edit(document: Any, _asked: Asked) -> bool:  # noqa: ANN401
        changed = False
        for one, name in list(_totals(document)):
            one[name] = change(int(one[name]))
            changed = True
        return changed

    return edit


def _rows_missing(document: Any, asked: Asked) -> bool:  # noqa: ANN401
    """Half of the rows are not there, and the total says so."""
    if not any(int(one[name]) for one, name in _totals(document)):
        return False
    return first_list(lambda rows: rows[: len(rows) // 2])(document, asked)


def _no_rows(document: Any, asked: Asked) -> bool:  # noqa: ANN401
    if not any(int(one[name]) for one, name in _totals(document)):
        return False
    return first_list(lambda _rows: [])(document, asked)


TOTALS: dict[str, Edit] = {
    "a total above what came": _total(lambda number: number + 7),
    "a total below what came": _total(lambda number: max(0, number - 1)),
    "a total of 0": _total(lambda _: 0),
    "a total of a billion": _total(lambda _: BILLION),
    "a total below 0": _total(lambda _: -1),
    "a total as text": _total(str),
    "a total in words": _total(lambda _: "many"),
    "a total of null": _total(lambda _: None),
    "a total that is a fraction": _total(lambda number: number + 0.5),
    "half of the rows missing, the total true": _rows_missing,
    "all rows missing, the total true": _no_rows,
}


def _links(document: Any) -> Iterator[tuple[dict[str, Any], str]]:  # noqa: ANN401
    """Where an address of a next page stands."""
    for one in objects(document):
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


def _link(change: Callable[[str, Asked], Any], *, goes_on: bool = False) -> Edit:
    """Change the address of the next page.

    Args:
        change: What it becomes.
        goes_on: Only where something else says that more follows.
    """

    def edit(document: Any, asked: Asked) -> bool:  # noqa: ANN401
        changed = False
        if goes_on and not any(one.get("has_next_page") is True for one in objects(document)):
            return False
        for one, name in list(_links(document)):
            one[name] = change(one[name], asked)
            changed = True
        return changed

    return edit


def _elsewhere(link: str, _asked: Asked) -> str:
    scheme, _, rest = link.partition("://")
    return f"{scheme}://vendor.invalid/{rest.partition('/')[2]}" if rest else f"http://vendor.invalid/{link}"


def _itself(link: str, asked: Asked) -> str:
    if "/" not in link and "?" not in link:  # a token or a cursor: that of this page, where it has one
        query = dict(pair.split("=", 1) for pair in asked.target.partition("?")[2].split("&") if "=" in pair)
        return next((query[name] for name in ("after_id", "pageToken", "pagetoken") if name in query), link)
    host = next((text for name, text in asked.headers if name.lower() == "host"), "")
    return f"http://{host}{asked.target}"


def _last_page(document: Any, _asked: Asked) -> bool:  # noqa: ANN401
    """No page follows, though the total says that more rows do."""
    changed = False
    for one in objects(document):
        if one.get("has_next_page") is True and one.get("total"):
            one.update(has_next_page=False, end_cursor=None)
            changed = True
    return changed


def _flag(value: Any) -> Edit:  # noqa: ANN401
    def edit(document: Any, _asked: Asked) -> bool:  # noqa: ANN401
        found = [one for one in objects(document) if one.get("has_next_page") is True]
        for one in found:
            one["has_next_page"] = value
        return bool(found)

    return edit


LINKS: dict[str, Edit] = {
    "a next link to itself": _link(_itself),
    "a next link to another host": _link(_elsewhere),
    "a next link that is none": _link(lambda _link, _asked: "::: no link"),
    "a next link with odd signs": _link(lambda link, _asked: f"{link}\u2028é\x00"),
    "a next link that is a number": _link(lambda _link, _asked: 17),
    "a next link that is an object": _link(lambda _link, _asked: {"href": 1}),
    "no next link, though more follows": _link(lambda _link, _asked: None, goes_on=True),
    "an empty next link, though more follows": _link(lambda _link, _asked: "", goes_on=True),
    "no page follows, though the total says so": _last_page,
    "whether more follows as text": _flag("true"),
    "whether more follows as 1": _flag(1),
}


def _token(change: Callable[[dict[str, Any], str], None]) -> Edit:
    def edit(document: Any, _asked: Asked) -> bool:  # noqa: ANN401
        for one in objects(document):
            for name in TOKEN & one.keys():
                change(one, name)
                return True
        return False

    return edit


def _token_is(value: Any) -> Edit:  # noqa: ANN401
    return _token(lambda one, name: one.__setitem__(name, value))


def _life(value: Any) -> Edit:  # noqa: ANN401
    return _token(lambda one, _name: one.__setitem__("expires_in", value))


def _refresh(value: Any) -> Edit:  # noqa: ANN401
    def edit(document: Any, _asked: Asked) -> bool:  # noqa: ANN401
        if not isinstance(document, dict) or "refresh_token" not in document:
            return False
        document["refresh_token"] = value
        return True

    return edit


ABSURD_TOKENS: dict[str, Edit] = {
    "no lifetime": _token(lambda one, _name: one.pop("expires_in", None)),
    "a lifetime as text": _life("3600"),
    "a lifetime of 0": _life(0),
    "a lifetime below 0": _life(-1),
    "a lifetime of 1": _life(1),
    "a lifetime of null": _life(None),
    "a lifetime in words": _life("soon"),
    "a lifetime that is a list": _life([]),
    "a lifetime of 400 digits": _life(int("9" * 400)),
    "a lifetime of 1e300": _life(1e300),
    "a lifetime that is NaN": _life(float("nan")),
    "a token of null": _token_is(None),
    "an empty token": _token_is(""),
    "a blank token": _token_is("  "),
    "a token with a line break": _token_is("two\r\nX-Evil: lines"),
    "a token with odd signs": _token_is("tökén 𝒳"),
    "a token that is a number": _token_is(17),
    "a token that is an object": _token_is({"a": 1}),
    "no token": _token(lambda one, name: one.pop(name, None)),
    "a refresh token of null": _refresh(None),
    "an empty refresh token": _refresh(""),
    "a refresh token that is a number": _refresh(17),
}
