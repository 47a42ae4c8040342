"""Which column holds which property: DuckDB does not tell upper from lower case, Singer does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def assign_names(
    wanted: Iterable[str], existing: Iterable[str], reserved: Iterable[str] = (), held: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Gives each name one that DuckDB, which does not tell upper from lower case, can keep apart.

    A name keeps the column that it had. Else what exists under exactly its name is its own; else the first comes first,
    and a later one that differs only in case gets `_2`, `_3` and so on. The answer is the same in every run over the
    same table.

    Args:
        wanted: The names as the tap says them.
        existing: The names in the database.
        reserved: Names in the database that nothing can be loaded into.
        held: The names in the database that other names are known to have; no further name gets these.

    Returns:
        The name to use, by wanted name.
    """
    wanted = list(wanted)
    present = {name.lower(): name for name in existing}
    known = {name: present[column.lower()] for name, column in (held or {}).items() if column.lower() in present}
    names = {name: known[name] for name in wanted if name in known}
    taken = {name.lower() for name in known.values()}
    names |= {
        name: name
        for name in wanted
        if name not in names and name.lower() not in taken and present.get(name.lower()) == name
    }
    foreign = {name.lower() for name in reserved}
    taken |= {name.lower() for name in names.values()} | foreign
    for name in wanted:
        if name not in names and name.lower() in present.keys() | foreign:
            # Another column differs only in case: without a note, this name may have its suffix from an earlier run.
            pattern = re.compile(re.escape(name) + r"_(\d+)")
            earlier = {
                int(match[1]): found
                for found in present.values()
                if (match := pattern.fullmatch(found)) and found.lower() not in taken
            }
            if earlier:
                names[name] = earlier[min(earlier)]
                taken.add(names[name].lower())
    for name in wanted:
        if name not in names:
            candidate = free_name(name, taken)
            names[name] = present.get(candidate.lower(), candidate)
            taken.add(candidate.lower())
    return names


def free_name(name: str, taken: set[str]) -> str:
    """The name, or with the first number that makes it one that is not taken, whatever its case."""
    base = candidate = name.replace("\0", "_") or "_"
    number = 1
    while candidate.lower() in taken:
        number += 1
        candidate = f"{base}_{number}"
    return candidate
