"""The table of lists: the validated content of `lists.toml`."""

from __future__ import annotations

import itertools
import sys
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import msgspec

if sys.version_info >= (3, 11):
    from tomllib import loads as parse_toml
else:  # takes ten times as long
    import tomlkit

    def parse_toml(text: str) -> dict[str, Any]:
        """Parses TOML."""
        return tomlkit.parse(text).unwrap()


Value = bool | str | list[str]


def format_value(value: Value) -> str | list[str]:
    """Formats a parameter's value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One list. `lists.toml` documents each field."""

    since: str = ""
    until: str = "9999-12-31"
    key: tuple[str, ...] = ("id",)
    optional: bool = False
    setting: dict[str, str] = {}
    parent: str | None = None
    parent_key: str | None = None
    by: str = ""
    at_once: int = 1
    column: str | None = None
    window: tuple[str, str] | None = None
    days: int = 31
    today: tuple[str, ...] = ()
    sweep: dict[str, list[bool | str]] | list[dict[str, bool | str]] = {}
    columns: tuple[str, ...] = ()
    send: dict[str, Value] = {}
    changed_since: str | None = None
    changed_on: str | None = None
    precision: Literal["day", "second"] = "day"
    bookmark: Literal["start"] | None = None
    always: bool = False
    one_answer: bool = False
    total: Literal["rows", "limit"] = "rows"
    unsent: tuple[str, ...] = ()

    @property
    def params(self) -> set[str]:
        """The parameters that the row knows, sent or left out on purpose."""
        names = {self.by, self.changed_since, self.changed_on, *(self.window or ()), *self.today, *self.send}
        return {name for name in names if name} | {*self.setting, *self.unsent, *itertools.chain(*self.requests)}

    @property
    def requests(self) -> list[dict[str, bool | str]]:
        """The parameters of each slice, one mapping per slice. Empty without parameter sets."""
        if isinstance(self.sweep, list):
            return self.sweep
        values = itertools.product(*self.sweep.values())
        return [dict(zip(self.sweep, combination, strict=True)) for combination in values] if self.sweep else []

    @property
    def added_columns(self) -> dict[str, dict[str, Any]]:
        """The columns added to the records, with their schemas."""
        columns: dict[str, bool | str] = {name: self.requests[0][name] for name in self.columns}
        columns |= dict.fromkeys(filter(None, (self.column, *self.kept_settings)), "")
        return {
            name: {"type": ["boolean" if isinstance(value, bool) else "string", "null"]}
            for name, value in columns.items()
        }

    @property
    def kept_settings(self) -> list[str]:
        """The parameters set by a setting that become a column because they are part of the key."""
        return [name for name in self.setting if name in self.key]


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All lists of all versions.

    Args:
        versions: The described versions of the API, oldest first.
        scopes: OAuth scope by module, if known.
        by_id: The lists that can be read by id, by module.
        lists: Rows by module and name.
    """

    versions: tuple[str, ...]
    scopes: dict[str, str]
    by_id: dict[str, tuple[str, ...]]
    lists: dict[str, dict[str, Row]]

    def described_version(self, version: str) -> str:
        """Returns the version that serves requests for another one. The oldest described one serves retired ones."""
        return max(version, self.versions[0])

    def rows_of_version(self, version: str) -> dict[str, Row]:
        """Returns the lists of a version. The key is the module and the name, such as ``posts/comments``."""
        described = self.described_version(version)
        return {
            f"{module}/{name}": row
            for module, rows in self.lists.items()
            for name, row in rows.items()
            if row.since <= described <= row.until
        }


def stream_name(path: str) -> str:
    """Returns the stream name of a list."""
    return path.replace("/", "_").replace("-", "_")


def parse_table(text: str) -> Table:
    """Parses the text of the table."""
    return msgspec.convert(parse_toml(text), Table)


@cache
def load_table() -> Table:
    """Returns the table of this package."""
    return parse_table((files(__package__ or "") / "lists.toml").read_text("utf-8"))
