"""The reference pages of the streams, in Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_cornerstone.odata.stream import ODataStream

from docsite.catalog import EXTRA, list_described_streams, list_streams
from docsite.queries import make_queries
from docsite.text import (
    describe_incremental,
    describe_permission,
    describe_requests,
    escape_cell,
    make_table,
    split_docstring,
)

if TYPE_CHECKING:
    from docsite.catalog import Field, StreamPage

CORNERSTONE = "tap-cornerstone"
LIVE = (
    "Deleted rows are marked: `_sdc_deleted_at IS NULL` selects the others. `_sdc_deleted_at` exists only once the"
    " table has rows."
)
OFF = " (off by default)"


def make_stream_pages() -> dict[str, str]:
    """Returns the pages of all streams, by their path in the site."""
    return {
        f"reference/{tap}/{name}.md": make_stream_page(page)
        for tap in list_streams()
        for name, page in list_described_streams(tap).items()
    }


def make_table_of_described_views() -> str:
    """Returns a table of Cornerstone's views and objects whose columns are known."""
    rows = [
        (f"`{name}`", ", ".join(f"`{key}`" for key in page.stream.primary_keys), str(len(page.columns)))
        for name, page in list_described_streams(CORNERSTONE).items()
        if isinstance(page.stream, ODataStream)
    ]
    return make_table(("view or object", "key", "known columns"), rows)


def list_undescribed_views() -> str:
    """Returns a list of Cornerstone's other views and objects."""
    names = list_streams()[CORNERSTONE].keys() - list_described_streams(CORNERSTONE).keys()
    return ", ".join(f"`{name}`" for name in sorted(names))


def make_stream_page(page: StreamPage) -> str:
    """Returns a stream's page."""
    what, notes = split_docstring(page.stream)
    if isinstance(page.stream, ODataStream):
        what = f"row of this {'view' if page.name.startswith('vw_') else 'object'} of the portal"
    parts = [
        f"# {page.name}",
        f"[{page.tap}](../{page.tap}.md) · one row per {what}.",
        notes,
        _list_facts(page),
        "## Columns",
        _make_column_table(page),
        f"Fields that the schema does not list are in `{EXTRA}`." + (f" {LIVE}" if page.stream.versioned else ""),
        _list_references(page),
        "## Example queries",
        *(f"{query.title}:\n\n```sql\n{query.sql}\n```" for query in make_queries(page, list_streams()[page.tap])),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _list_facts(page: StreamPage) -> str:
    stream = page.stream
    rows = [
        ("table", f"`{page.table}`"),
        ("permission", describe_permission(stream)),
        ("endpoint", f"`{stream.method} {stream.path}`"),
        ("key", ", ".join(f"`{name}`" for name in stream.primary_keys) or "none: rows are appended"),
        ("incremental by", describe_incremental(stream)),
        ("requests", "" if isinstance(stream, ODataStream) else describe_requests(stream)),
        ("enabled by", _describe_setting(page)),
        ("deletions", _describe_deletions(page)),
    ]
    return make_table(("", ""), [(name, text) for name, text in rows if text])


def _describe_setting(page: StreamPage) -> str:
    if page.stream.optional:
        return f"`optional_streams` with `{page.name}`"
    return f"the setting `{page.stream.setting}`" if page.stream.setting else ""


def _describe_deletions(page: StreamPage) -> str:
    if not page.stream.versioned:
        return "not detected: the API drops old records"
    if describe_incremental(page.stream) == "full table":
        return "detected by each run"
    if isinstance(page.stream, ODataStream):
        return "detected by a full refresh, and by each run if the portal tracks the changes of the object"
    return "detected by a full refresh"


def _make_column_table(page: StreamPage) -> str:
    rows = [(f"`{item.path[0]}`", item.type, _link_description(page, item)) for item in page.columns]
    return make_table(("column", "type", "description"), rows)


def _link_description(page: StreamPage, item: Field) -> str:
    """Returns a field's description with links to the streams that it refers to."""
    text = escape_cell(item.description)
    known = list_described_streams(page.tap)
    for name in dict.fromkeys(item.references):
        if name in known and name != page.name:
            text = text.replace(f"see `{name}`", f"see [`{name}`]({name}.md)")
    return text


def _list_references(page: StreamPage) -> str:
    known = list_described_streams(page.tap)
    out = [
        f"- `{'.'.join(item.path)}`{' (a list)' if item.in_list else ''} leads to " + _link_stream(page.tap, name)
        for item, name in page.references
    ]
    into = sorted({other.name for other in known.values() if any(name == page.name for _, name in other.references)})
    if into:
        out.append(f"- Ids of this stream are in {', '.join(_link_stream(page.tap, name) for name in into)}")
    return "\n".join(["## Where ids lead", "", *out]) if out else ""


def _link_stream(tap: str, name: str) -> str:
    """A stream's name, linked to its page if it has one."""
    link = f"[`{name}`]({name}.md)" if name in list_described_streams(tap) else f"`{name}`"
    return link + (OFF if list_streams()[tap][name].is_off else "")
