"""The reports of the commands: what was removed, what a human should look at, and what is out of reach."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

import duckdb

from target_duckdb.errors import TargetError, os_error_message

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from target_duckdb.erasure.leftovers import Leftover
    from target_duckdb.erasure.plan import TablePlan

OUT_OF_REACH = (
    "backups, snapshots of the disk, copies and exports of the file",
    "freed blocks of the disk or SSD, until they are overwritten",
    "logs and temporary files of Meltano and other programs, and programs that still have the old file open",
    "other DuckDB files and databases",
    "the vendors, whose own records have to be erased there",
)


@dataclass
class Report:
    """What a command found and removed. It has no personal data.

    Attributes:
        command: The command.
        is_dry_run: Whether the file stayed as it is.
        identifiers: How many identifiers of each kind the people have.
        plans: What was removed.
        leftovers: The columns that a human should look at.
        shared_names: How many of the names other people have, too.
        shared_spaces: The kinds of ids of which several have the same work address.
        people: How many people it is about.
        at: When.
    """

    command: str
    is_dry_run: bool
    identifiers: str = ""
    plans: Sequence[TablePlan] = ()
    leftovers: Sequence[Leftover] = ()
    shared_names: int = 0
    shared_spaces: Sequence[str] = ()
    people: int = 1
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def _changed(self) -> list[TablePlan]:
        return [plan for plan in self.plans if plan.is_changed]

    def lines(self) -> Iterable[str]:
        """Returns the report as text."""
        rows = [(plan.table.full_name, plan.deleted, plan.mentions) for plan in self._changed]
        rows.append(("total", sum(row[1] for row in rows), sum(row[2] for row in rows)))
        width = max(len(name) for name, *_ in rows)
        if self.identifiers:
            yield f"Identifiers: {self.identifiers}."
        yield f"{'table':{width}}  {'rows deleted':>12}  {'rows changed':>12}"
        for name, deleted, mentions in rows:
            yield f"{name:{width}}  {deleted:>12,}  {mentions:>12,}"
        if self.shared_spaces:
            yield (
                "Several ids of one kind have the same work address, so they may be of several people:"
                f" {', '.join(self.shared_spaces)}. If all are of this person, add --several-ids."
            )
        if self.shared_names:
            yield (
                "Somebody else has the same name. It stays where nothing but the name says who is meant:"
                f" {self.shared_names} name{'' if self.shared_names == 1 else 's'}."
            )
        if self.leftovers:
            yield "Text that still contains an address or the name, to be looked at:"
        for item in self.leftovers:
            keys = f", keys {', '.join(item.keys)}" if item.keys else ""
            yield f"  {item.table}.{item.column}: {item.kind} in {item.rows:,} row{'' if item.rows == 1 else 's'}{keys}"
        if self.is_dry_run:
            yield "Nothing was changed (--dry-run)."
        elif not self._changed:
            yield "There is nothing to remove, so the file is unchanged."
        else:
            yield f"The new file has replaced the old one. Out of reach: {'; '.join(OUT_OF_REACH)}."

    def to_json(self) -> str:
        """Returns the report as JSON."""
        document = {
            "command": self.command,
            "dry_run": self.is_dry_run,
            "at": self.at.isoformat(timespec="seconds"),
            "target_duckdb": version("hrtaps-target-duckdb"),
            "duckdb": duckdb.__version__,
            "people": self.people,
            "identifiers": self.identifiers,
            "tables": [
                {"table": plan.table.full_name, "rows_deleted": plan.deleted, "rows_changed": plan.mentions}
                for plan in self._changed
            ],
            "text_left": [asdict(item) for item in self.leftovers],
            "shared_names": self.shared_names,
            "shared_spaces": list(self.shared_spaces),
            "out_of_reach": list(OUT_OF_REACH),
        }
        return json.dumps(document, indent=2) + "\n"


def write_private_file(path: str, lines: Iterable[str]) -> None:
    """Writes a new file that only its owner can read.

    Raises:
        TargetError: It exists, or cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.writelines(lines)
    except FileExistsError:
        raise TargetError("The file for the output exists already: name another one, or remove it.") from None
    except OSError as error:
        raise TargetError(os_error_message(error, "The file for the output")) from None
