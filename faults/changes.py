"""Changes of the invented company, as a day at work brings them; by a seed."""

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
WORDS = re.compile(r"name|title|description|comment|observation|note|city|address|label")
TEXTS = ("Ünï 𝒳", 'O\'Brien "x"', "", "a\tb\nc", "日本", "line\u2028end", "-0", "null")
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
"""By kind: the stream of Personio's whose ids it has, and fields that hold text."""

DELETES = {
    "absence_period": "absence_periods",
    "attendance_period": "attendance_periods",
    "document": "documents",
    "compensation": "compensations",
    "person": "persons",
}


def change(
    sandbox: Sandbox, vendor: Vendor, keys: Mapping[str, Sequence[str]], chance: random.Random, count: int
) -> int:
    """Change about so many records, some of which go.

    Args:
        sandbox: Whose company changes.
        vendor: Whose own rows change as well.
        keys: Primary keys of the vendor's streams.
        chance: Chooses.
        count: How many changes to try.

    Returns:
        How many there were; a control may refuse one.
    """
    done = 0
    for number in range(count):
        # Each vendor shows the company's changes; two have lists that nothing in the company is behind.
        whole = vendor.name == "personio" or number % 6 == 0
        with suppress(ValueError, IndexError):  # refused: others need the record, or there is none to choose
            if whole:
                _company(sandbox, vendor, chance)
            else:
                _row(sandbox, vendor, keys, chance)
            done += 1
    return done


def _company(sandbox: Sandbox, vendor: Vendor, chance: random.Random) -> None:
    match chance.choice(("hire", "edit", "edit", "edit", "delete", "terminate")):
        case "hire":
            sandbox.control("hire", last_name=chance.choice(TEXTS))
        case "terminate":
            sandbox.control("terminate")
        case "edit":
            kind = chance.choice(list(EDITS))
            stream, fields = EDITS[kind]
            row = chance.choice(sandbox.records("personio", stream))
            sandbox.control("edit", kind=kind, id=row["id"], field=chance.choice(fields), value=chance.choice(TEXTS))
        case _:
            kind = chance.choice([kind for kind in DELETES if DELETES[kind] not in vendor.walked])
            row = chance.choice(sandbox.records("personio", DELETES[kind]))
            sandbox.control("delete", kind=kind, id=row["id"])


def _row(sandbox: Sandbox, vendor: Vendor, keys: Mapping[str, Sequence[str]], chance: random.Random) -> None:
    odata = vendor.name == "cornerstone"
    stream = chance.choice(
        [name for name, key in keys.items() if (key and ODATA.search(name) if odata else key == ("id",))]
    )
    row = chance.choice(sandbox.records(vendor.name, stream))
    address = ",".join(str(row[name]) for name in keys[stream])
    if chance.random() < 1 / 3 and stream not in vendor.walked:
        sandbox.control(f"{vendor.name}/delete", stream=stream, id=address)
    else:
        value = chance.choice(TEXTS)
        sandbox.control(f"{vendor.name}/edit", stream=stream, id=address, field=_text_field(row, chance), value=value)


def _text_field(row: Row, chance: random.Random) -> str:
    """A field with words; what a list may be asked by stays."""
    return chance.choice([name for name, value in row.items() if isinstance(value, str) and WORDS.search(name)])
