"""Generates the tables and counts in the Markdown pages from the code.

    python -m docsite.pages

Generated parts are between two comments with the same name: `<!-- factorial.count -->169<!-- /factorial.count -->`.
`parts` lists the names. Every page may use them, within a sentence or on lines of their own.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hr_sandbox.cornerstone.tables import EXPORTER, REPORTING, TOUCHED, list_entity_sets
from hr_sandbox.factorial.tables import LIVE, load_newest, load_resources
from tap_cornerstone.streams import STREAMS as CORNERSTONE_REST
from tap_cornerstone.tap import TapCornerstone
from tap_factorial.table import Row, load_table, stream_name
from tap_factorial.tap import TapFactorial
from tap_personio.tap import TapPersonio
from target_duckdb.own_tables import OWN_TABLES, STATE
from target_duckdb.settings import SETTINGS

from docsite import permissions, privacy, reference
from docsite.catalog import ALL_STREAMS, CAREERS
from docsite.text import (
    describe_incremental,
    describe_permission,
    describe_requests,
    escape_cell,
    make_table,
    split_docstring,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from singer_rest import RestStream, RestTap

ROOT = Path(__file__).parent.parent
PART = re.compile(r"<!-- ([\w.-]+) -->.*?<!-- /\1 -->", re.DOTALL)
LONGEST_DEFAULT = 60
"""Longest default of a setting that a table shows, in characters."""


@cache
def make_parts() -> dict[str, str]:
    """Returns the generated parts by name."""
    personio, cornerstone = (
        _list_streams(TapPersonio, legacy_v1_streams=True, **CAREERS, **ALL_STREAMS),
        _list_streams(TapCornerstone, **ALL_STREAMS),
    )
    rest = [stream for stream in cornerstone if isinstance(stream, tuple(CORNERSTONE_REST))]
    of_v2 = [stream for stream in personio if stream.path.startswith("/v2/")]
    legacy = [stream for stream in personio if stream.setting == "legacy_v1_streams"]
    of_v1 = [stream for stream in personio if stream not in of_v2 and stream not in legacy]
    found = {
        "personio.settings": make_settings_table(_find_own_settings(TapPersonio)),
        "personio.streams_v2": make_stream_table(of_v2),
        "personio.streams_v1": make_stream_table(of_v1),
        "personio.streams_legacy": make_stream_table(legacy, setting="legacy_v1_streams"),
        "personio.count": str(len(personio)),
        "personio.count_default": str(len(_list_streams(TapPersonio, **CAREERS))),
        "factorial.settings": make_settings_table(_find_own_settings(TapFactorial)),
        "factorial.streams": make_factorial_table(),
        "factorial.count": str(len(load_table().rows_of_version(load_table().versions[-1]))),
        "factorial.count_default": str(len(_list_streams(TapFactorial))),
        "factorial.version": load_table().versions[-1],
        "cornerstone.settings": make_settings_table(_find_own_settings(TapCornerstone)),
        "cornerstone.streams": make_stream_table(rest),
        "cornerstone.count": str(len(rest)),
        "cornerstone.count_default": str(len(_list_streams(TapCornerstone))),
        "cornerstone.count_known": str(
            len(_list_streams(TapCornerstone, objects=["*"], views=["*"])) - _count_default(rest)
        ),
        "cornerstone.described": reference.make_table_of_described_views(),
        "cornerstone.undescribed": reference.list_undescribed_views(),
        **{f"{vendor}.permissions": permissions.make_permission_tables(vendor) for vendor in permissions.QUESTIONS},
        "privacy.classes": privacy.classes(),
        "privacy.profiles": privacy.profiles(),
        "privacy.actions": privacy.actions(),
        "privacy.lost": privacy.lost_streams(),
        "duckdb.settings": make_settings_table(SETTINGS.to_dict()["properties"]),
        "duckdb.own_tables": make_own_tables_table(),
    }
    return found | _count_sandbox_endpoints()


def _count_sandbox_endpoints() -> dict[str, str]:
    """Returns the numbers of the sandbox's endpoints, views and objects, by the name of the part."""
    views, objects = list_entity_sets(REPORTING), list_entity_sets(EXPORTER)
    counts = {
        "factorial.singles": sum(resource.single for resource in load_newest().values()),
        "factorial.needs": sum(bool(resource.needs) for resource in load_newest().values()),
        "cornerstone.views": len(views),
        "cornerstone.objects": len(objects),
        "cornerstone.views_key": sum(bool(view.key) for view in views),
        "cornerstone.views_stamp": sum(TOUCHED in view.columns for view in views),
    } | {f"factorial.{version}": sum(version in row.span for row in load_resources().values()) for version in LIVE}
    return {f"sandbox.{name}": str(count) for name, count in counts.items()}


def _list_streams(tap: type[RestTap], **config: object) -> Sequence[RestStream]:
    """Returns a tap's streams without credentials, sorted by name."""
    found: Any = tap(config=config, validate_config=False).streams.values()
    return sorted(found, key=lambda stream: stream.name)


def _count_default(streams: Iterable[RestStream]) -> int:
    return sum(not stream.optional for stream in streams)


def make_stream_table(some: Iterable[RestStream], setting: str | None = None) -> str:
    """Returns a table of streams.

    Args:
        some: The streams.
        setting: The setting that enables all of them. Other settings are named next to their streams.
    """
    rows = [
        (
            f"`{stream.name}`{_describe_condition(stream, setting)}",
            escape_cell(split_docstring(stream)[0]),
            ", ".join(f"`{name}`" for name in stream.primary_keys),
            describe_incremental(stream),
            describe_requests(stream),
            describe_permission(stream),
            escape_cell(split_docstring(stream)[1]),
        )
        for stream in some
    ]
    return make_table(("stream", "one row per", "key", "incremental by", "requests", "permission", "notes"), rows)


def _describe_condition(stream: RestStream, setting: str | None) -> str:
    if stream.optional:
        return " (off)"
    return f" (with `{stream.setting}`)" if stream.setting and stream.setting != setting else ""


def _find_own_settings(tap: type[RestTap]) -> dict[str, Any]:
    """Returns a tap's settings, except those of the SDK."""
    builtin: dict[str, Any] = {"properties": {}}
    tap.append_builtin_config(builtin)
    found = tap.config_jsonschema["properties"].items()
    return {name: schema for name, schema in found if name not in builtin["properties"]}


def make_settings_table(properties: dict[str, Any]) -> str:
    """Returns a table of settings."""
    rows = [
        (f"`{name}`", _format_default(schema.get("default")), escape_cell(schema["description"]))
        for name, schema in properties.items()
    ]
    return make_table(("setting", "default", "description"), rows)


def _format_default(default: Any) -> str:  # noqa: ANN401 - JSON
    """Returns a setting's default, for a table."""
    if default in (None, "", [], {}):
        return ""
    text = default if isinstance(default, str) else json.dumps(default)
    return f"`{text}`" if len(text) <= LONGEST_DEFAULT else f"{len(default)} values, see `--about`"


def make_factorial_table() -> str:
    """Returns a table of all of Factorial's streams, by module."""
    rows = [
        (
            module,
            load_table().scopes.get(module, ""),
            ", ".join(f"`{stream_name(f'{module}/{name}')}`{_format_notes(row)}" for name, row in lists.items()),
        )
        for module, lists in sorted(load_table().lists.items())
    ]
    return make_table(("module", "scope", "streams"), rows)


def _format_notes(row: Row) -> str:
    """Returns the notes on a stream, in brackets."""
    marks = []
    if row.optional:
        marks.append("off")
    if row.setting:
        marks.append(f"needs {next(iter(row.setting.values()))}")
    if row.changed_since or row.changed_on:
        marks.append("incremental")
    if row.parent:
        marks.append(f"per row of `{stream_name(row.parent)}`")
    if row.window:
        marks.append("by dates")
    if row.requests:
        marks.append(f"{len(row.requests)} passes")
    if row.key != ("id",):
        marks.append(f"key {', '.join(row.key)}" if row.key else "no key")
    if row.since:
        marks.append(f"from {row.since}")
    if row.until < "9":
        marks.append(f"to {row.until}")
    return f" ({'; '.join(marks)})" if marks else ""


def make_own_tables_table() -> str:
    """Returns a table of the columns of each table that the loader keeps for itself."""
    parts = []
    for one in (*OWN_TABLES, STATE):
        rows = [(f"`{name}`", kind, escape_cell(comment)) for name, (kind, comment) in one.columns.items()]
        parts.append(f"### {one.name}\n\n{one.description}\n\n{make_table(('column', 'type', 'description'), rows)}")
    return "\n\n".join(parts)


def generate_files() -> dict[Path, str]:
    """Returns the pages with generated parts and their expected text."""
    folders = [folder for folder in ROOT.iterdir() if folder.is_dir() and not folder.name.startswith(".")]
    pages = [*ROOT.glob("*.md"), *(page for folder in folders for page in folder.rglob("*.md"))]
    texts = {page: page.read_text() for page in sorted(pages)}
    return {page: PART.sub(_replace_part, text) for page, text in texts.items() if PART.search(text)}


def _replace_part(found: re.Match[str]) -> str:
    name = found[1]
    part = make_parts()[name]
    between = "\n" if "\n" in part else ""
    return f"<!-- {name} -->{between}{part}{between}<!-- /{name} -->"


def main() -> None:
    """Writes the pages."""
    for path, text in generate_files().items():
        path.write_text(text)


if __name__ == "__main__":
    main()
