"""Compares a document with the rows of known lists: their keys and their parameters.

The parameters of earlier versions are not kept, so the row stands for them: the document should have what the row uses,
and the row should use what seems to matter. Parameters left out on purpose are listed in it as `unsent`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_factorial.openapi.rows import CHANGED_SINCE, is_flag, max_values

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from tap_factorial.openapi.columns import Json
    from tap_factorial.table import Row


def describe_differences(path: str, row: Row, fields: Collection[str], parameters: Iterable[Json]) -> list[str]:
    """Returns the differences that a person should check, one line each.

    Args:
        path: The list.
        row: Its row.
        fields: The fields of its records. Empty: not described.
        parameters: Its query parameters.
    """
    return [*_describe_key_differences(path, row, fields), *_describe_parameter_differences(path, row, parameters)]


def _describe_key_differences(path: str, row: Row, fields: Collection[str]) -> list[str]:
    if not row.key and "id" in fields:
        return [f"look at: {path} has the field id, and its row has no key"]
    missing = set(row.key) - set(fields) - row.added_columns.keys() if fields else set()
    return [f"look at: {path} no longer has {name}, which is its key" for name in sorted(missing)]


def _describe_parameter_differences(path: str, row: Row, parameters: Iterable[Json]) -> list[str]:
    there = {parameter["name"]: parameter for parameter in parameters}
    # A parameter may have another name in another version; one of them is enough.
    settings = {setting for name, setting in row.setting.items() if name in there}
    renamed = {name for name, setting in row.setting.items() if setting in settings}
    missing = row.params - there.keys() - renamed - set(row.unsent)
    found = [f"look at: {path} no longer takes {name}, which its row uses" for name in sorted(missing)]
    for name, parameter in there.items():
        asked, most = _count_values_per_request(row, name), max_values(parameter)
        if most and asked > most:
            found.append(f"look at: {path} takes {most} of {name} in one request, and its row asks for {asked}")
        if name in row.params:
            continue
        if is_flag(parameter):
            found.append(f"look at: {path} takes {name}, which its row does not send")
        elif name in CHANGED_SINCE and not (row.changed_since or row.changed_on):
            found.append(f"look at: {path} takes {name}, which its row does not use as an incremental filter")
        elif parameter.get("required") and parameter["schema"].get("type") != "boolean":
            found.append(f"look at: {path} requires {name}, which its row does not set")
    return found


def _count_values_per_request(row: Row, name: str) -> int:
    """Returns the number of values of a parameter that the row sends in one request."""
    sent = row.send.get(name)
    return row.at_once if name == row.by else len(sent) if isinstance(sent, list) else 0
