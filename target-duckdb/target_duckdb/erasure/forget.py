"""Removes a person from a DuckDB file, or shows what is there of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from target_duckdb.erasure.leftovers import find_leftovers
from target_duckdb.erasure.person import IdentityMatcher, find_identity, find_shared_spaces
from target_duckdb.erasure.plan import Planner, TablePlan
from target_duckdb.erasure.report import Report, write_private_file
from target_duckdb.erasure.session import Session, open_session
from target_duckdb.errors import TargetError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from target_duckdb.erasure.file_tables import FileTable
    from target_duckdb.plugin import ConfiguredTarget
    from target_duckdb.tombstones import Marker


def forget(
    plugin: ConfiguredTarget, person: str, *, dry_run: bool, export: str | None = None, several_ids: bool = False
) -> Report:
    """Removes a person from the file of the loader's settings.

    Args:
        plugin: The loader's settings.
        person: An e-mail address, an id, `SCHEMA.KIND:ID`, or a pseudonym.
        dry_run: Whether to leave the file as it is.
        export: A file for the rows about the person, as JSON lines.
        several_ids: Whether several ids of one kind that have the same work address are of this person.

    Returns:
        What was removed.

    Raises:
        TargetError: There is no such person, or there are several, or the file cannot be changed.
    """
    with open_session(plugin, read_only=dry_run) as session:
        session.check_tables()
        identity = find_identity(session.connection, session.tables, person)
        if not identity.values:
            raise TargetError(
                "The DuckDB file has no row about such a person: check the address or id. Nothing was changed."
            )
        matcher = IdentityMatcher(session.connection, identity)
        shared = [] if several_ids else find_shared_spaces(session.connection, session.tables, matcher)
        if shared and (export or not dry_run):
            raise TargetError(
                f"Several ids of one kind have the same work address ({', '.join(shared)}), so they may be of several"
                " people. Nothing was changed. If all are of this person, add --several-ids; otherwise correct the"
                " address at the vendor, and load it again."
            )
        marker = None if dry_run else session.open_marker()
        planner = Planner(session.connection, session.tables, matcher)
        summary = identity.summary
        plans = planner.plan()
        report = Report("forget", dry_run, summary, plans, shared_names=planner.shared_names, shared_spaces=shared)
        report.leftovers = find_leftovers(session.connection, plans, identity)
        if export:
            write_private_file(export, _export_rows(session, plans))
        if marker is not None:
            session.rewrite(plans, lambda tables: _verify(planner, tables), _make_marks(marker, identity.values))
        return report


def _verify(planner: Planner, tables: list[FileTable]) -> None:
    """Checks that no row of the new file refers to the person.

    Raises:
        TargetError: One does.
    """
    if rows := planner.count_references(tables):
        raise TargetError(f"{rows} rows would still refer to the person, so the file is unchanged. Report this error.")


def _make_marks(marker: Marker, values: dict[str, set[str]]) -> list[tuple[str, str]]:
    found = {marker.mark(space, value) for space, known in values.items() for value in known}
    return [(mark, marker.key_check) for mark in sorted(found)]


def _export_rows(session: Session, plans: Sequence[TablePlan]) -> Iterator[str]:
    """Yields the rows about the person as JSON lines."""
    for plan in plans:
        if plan.deleted:
            rows = session.connection.execute(
                f"SELECT to_json(t) FROM {plan.table.sql} AS t WHERE NOT {plan.stays_sql}"  # noqa: S608 - quoted names
            ).fetchall()
            for (row,) in rows:
                yield f'{{"table": {json.dumps(plan.table.full_name)}, "row": {row}}}\n'
