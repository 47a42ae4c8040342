"""Random, reproducible changes to the sandbox's company: hires, edits, deletions, terminations."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping, Sequence

    from hr_sandbox.testing import Sandbox

    from faults.vendors import Row, Vendor

ODATA = re.compile(r"^vw_|_core$")
TEXT_FIELD = re.compile(r"name|title|description|comment|observation|note|city|address|label")
TEXT_VALUES = ("Ünï 𝒳", 'O\'Brien "x"', "", "a\tb\nc", "日本", "line\u2028end", "-0", "null")
EDITS = {
    "person": ("persons", ("last_name", "first_name")),
    "employment": ("employments", ("title",)),
    "absence_period": ("absence_periods", ("comment",)),
    "department": ("org_units", ("name",)),
    "project": ("projects", ("name",)),
    "legal_entity": ("legal_entities", ("name",)),
    "cost_center": ("cost_centers", ("name",)),
    "recruiting_candidate": ("recruiting_candidates", ("last_name",)),
    "document": ("documents", ("name",)),
}
"""By record kind: the Personio stream that has its ids, and its text fields."""

DELETES = {
    "absence_period": "absence_periods",
    "attendance_period": "attendance_periods",
    "document": "documents",
    "compensation": "compensations",
    "person": "persons",
}


def change_records(
    sandbox: Sandbox, vendor: Vendor, keys: Mapping[str, Sequence[str]], rng: random.Random, count: int
) -> int:
    """Changes or deletes about `count` records.

    Args:
        sandbox: The sandbox to change.
        vendor: The vendor whose own rows change as well.
        keys: Primary keys of the vendor's streams.
        rng: Source of random choices.
        count: Number of changes to attempt.

    Returns:
        The number of changes made. The sandbox may reject some of the attempted changes.
    """
    done = 0
    for number in range(count):
        # Changes to the company appear at every vendor. Two vendors also have rows of their own.
        company_wide = vendor.name == "personio" or number % 6 == 0
        with suppress(ValueError, IndexError):  # refused because other records need it, or nothing to choose from
            if company_wide:
                _change_company(sandbox, vendor, rng)
            else:
                _change_row(sandbox, vendor, keys, rng)
            done += 1
    return done


def _change_company(sandbox: Sandbox, vendor: Vendor, rng: random.Random) -> None:
    match rng.choice(("hire", "edit", "edit", "edit", "delete", "terminate")):
        case "hire":
            sandbox.control("hire", last_name=rng.choice(TEXT_VALUES))
        case "terminate":
            sandbox.control("terminate")
        case "edit":
            kind = rng.choice(list(EDITS))
            stream, fields = EDITS[kind]
            row = rng.choice(sandbox.records("personio", stream))
            sandbox.control("edit", kind=kind, id=row["id"], field=rng.choice(fields), value=rng.choice(TEXT_VALUES))
        case _:
            kind = rng.choice([kind for kind in DELETES if DELETES[kind] not in vendor.parent_streams])
            row = rng.choice(sandbox.records("personio", DELETES[kind]))
            sandbox.control("delete", kind=kind, id=row["id"])


def _change_row(sandbox: Sandbox, vendor: Vendor, keys: Mapping[str, Sequence[str]], rng: random.Random) -> None:
    odata = vendor.name == "cornerstone"
    stream = rng.choice(
        [name for name, key in keys.items() if (key and ODATA.search(name) if odata else key == ("id",))]
    )
    row = rng.choice(sandbox.records(vendor.name, stream))
    record_id = ",".join(str(row[name]) for name in keys[stream])
    if rng.random() < 1 / 3 and stream not in vendor.parent_streams:
        sandbox.control(f"{vendor.name}/delete", stream=stream, id=record_id)
    else:
        value = rng.choice(TEXT_VALUES)
        sandbox.control(f"{vendor.name}/edit", stream=stream, id=record_id, field=_text_field(row, rng), value=value)


def _text_field(row: Row, rng: random.Random) -> str:
    """Returns a random free-text field; fields used as filters are left alone."""
    return rng.choice([name for name, value in row.items() if isinstance(value, str) and TEXT_FIELD.search(name)])
