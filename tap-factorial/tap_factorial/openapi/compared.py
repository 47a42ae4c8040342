"""What a document says of the parameters of a list whose line is there already.

Nothing keeps the parameters of earlier versions, so the line stands for them: what it uses should be there, and what is
there and seems to matter should be in it. What a person has decided to leave out stands in it too, as `unsent`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_factorial.openapi.rows import CHANGED_SINCE, is_flag

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_factorial.openapi.document import Json
    from tap_factorial.table import Row


def differences(path: str, row: Row, parameters: Iterable[Json]) -> list[str]:
    """What a person should look at, a line each.

    Args:
        path: The list.
        row: Its line.
        parameters: Its query parameters.
    """
    there = {parameter["name"]: parameter for parameter in parameters}
    # A setting may go by another name in another version: one of them is enough.
    settings = {setting for name, setting in row.setting.items() if name in there}
    renamed = {name for name, setting in row.setting.items() if setting in settings}
    missing = row.params - there.keys() - renamed - set(row.unsent)
    found = [f"look at: {path} no longer takes {name}, which its line uses" for name in sorted(missing)]
    for name, parameter in there.items():
        if name in row.params:
            continue
        if is_flag(parameter):
            found.append(f"look at: {path} takes {name}, which its line does not send")
        elif name in CHANGED_SINCE and not (row.changed_since or row.changed_on):
            found.append(f"look at: {path} takes {name}, which its line does not use to ask for what changed")
        elif parameter.get("required") and parameter["schema"].get("type") != "boolean":
            found.append(f"look at: {path} requires {name}, which its line does not give")
    return found
