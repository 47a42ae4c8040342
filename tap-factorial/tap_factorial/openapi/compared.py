"""What a document says of a list whose line is there already: of its key, and of its parameters.

Nothing keeps the parameters of earlier versions, so the line stands for them: what it uses should be there, and what is
there and seems to matter should be in it. What a person has decided to leave out stands in it too, as `unsent`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_factorial.openapi.rows import CHANGED_SINCE, at_most, is_flag

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from tap_factorial.openapi.columns import Json
    from tap_factorial.table import Row


def differences(path: str, row: Row, fields: Collection[str], parameters: Iterable[Json]) -> list[str]:
    """What a person should look at, a line each.

    Args:
        path: The list.
        row: Its line.
        fields: The fields of its rows; none where they are not described.
        parameters: Its query parameters.
    """
    return [*_of_key(path, row, fields), *_of_parameters(path, row, parameters)]


def _of_key(path: str, row: Row, fields: Collection[str]) -> list[str]:
    if not row.key and "id" in fields:
        return [f"look at: {path} has the field id, and its line has no key"]
    missing = set(row.key) - set(fields) - row.added_columns.keys() if fields else set()
    return [f"look at: {path} no longer has {name}, which is its key" for name in sorted(missing)]


def _of_parameters(path: str, row: Row, parameters: Iterable[Json]) -> list[str]:
    there = {parameter["name"]: parameter for parameter in parameters}
    # A setting may go by another name in another version: one of them is enough.
    settings = {setting for name, setting in row.setting.items() if name in there}
    renamed = {name for name, setting in row.setting.items() if setting in settings}
    missing = row.params - there.keys() - renamed - set(row.unsent)
    found = [f"look at: {path} no longer takes {name}, which its line uses" for name in sorted(missing)]
    for name, parameter in there.items():
        asked, most = _at_once(row, name), at_most(parameter)
        if most and asked > most:
            found.append(f"look at: {path} takes {most} of {name} in one request, and its line asks for {asked}")
        if name in row.params:
            continue
        if is_flag(parameter):
            found.append(f"look at: {path} takes {name}, which its line does not send")
        elif name in CHANGED_SINCE and not (row.changed_since or row.changed_on):
            found.append(f"look at: {path} takes {name}, which its line does not use to ask for what changed")
        elif parameter.get("required") and parameter["schema"].get("type") != "boolean":
            found.append(f"look at: {path} requires {name}, which its line does not give")
    return found


def _at_once(row: Row, name: str) -> int:
    """How many values of a parameter the line sends in one request."""
    sent = row.send.get(name)
    return row.at_once if name == row.by else len(sent) if isinstance(sent, list) else 0
