"""Removes what the setting `retention` no longer allows to keep, of people whose employment ended."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from target_duckdb.columns import DELETED_AT
from target_duckdb.database import quote_identifier
from target_duckdb.erasure.person import Identity, IdentityMatcher, is_contact, is_record, subject_fields
from target_duckdb.erasure.plan import Planner, TablePlan
from target_duckdb.erasure.report import Report
from target_duckdb.erasure.session import Session, open_session
from target_duckdb.errors import TargetError
from target_duckdb.people import json_sql
from target_duckdb.references import ID, NUMBER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from target_duckdb.erasure.file_tables import FileTable
    from target_duckdb.plugin import ConfiguredTarget

_END, _START = "personal.end", "personal.start"
#: The ends of employments. Other ends, such as those of contracts and trial periods, do not say that the person left.
_LEAVING = re.compile(r"terminat|employment_end", re.IGNORECASE)
#: The starts of employments, after which somebody who left is back. Others are those of contracts or accounts.
_JOINING = re.compile(r"hire|employment_start", re.IGNORECASE)
_MONTHS = 12


@dataclass
class Employment:
    """What is known of the employment of one person.

    Attributes:
        identifiers: The person's identifiers, as pairs of space and value.
        ends: The last days of employments.
        starts: The first days.
        is_employed: Whether an employment has no end.
    """

    identifiers: set[tuple[str, str]] = field(default_factory=set)
    ends: list[date] = field(default_factory=list)
    starts: list[date] = field(default_factory=list)
    is_employed: bool = False

    @property
    def left_on(self) -> date | None:
        """When the person left. None if they did not, or came back, or if this is not known."""
        if self.is_employed or not self.ends:
            return None
        end = max(self.ends)
        return None if any(start > end for start in self.starts) else end

    def add(self, other: Employment) -> None:
        """Adds what is known from another row about the same person."""
        self.identifiers |= other.identifiers
        self.ends += other.ends
        self.starts += other.starts
        self.is_employed = self.is_employed or other.is_employed


def retain(plugin: ConfiguredTarget, *, dry_run: bool, today: date | None = None) -> Report:
    """Applies the setting `retention` to the file of the loader's settings.

    Args:
        plugin: The loader's settings.
        dry_run: Whether to leave the file as it is.
        today: The current day.

    Returns:
        What was removed.

    Raises:
        TargetError: The setting is missing or names something unknown, or the file cannot be changed.
    """
    rules: Mapping[str, int] = plugin.config.get("retention") or {}
    if not rules:
        raise TargetError("The setting `retention` is missing: set how many months after leaving values are kept.")
    with open_session(plugin, read_only=dry_run) as session:
        session.check_tables()
        today = today or datetime.now(UTC).date()
        plans = [TablePlan(table, f"all_{number}") for number, table in enumerate(session.tables)]
        for plan in plans:
            session.connection.execute(f"CREATE OR REPLACE TEMP TABLE {plan.gone} (id BIGINT)")
            session.connection.execute(f"CREATE OR REPLACE TEMP TABLE _clear_{plan.number} (id BIGINT, place INTEGER)")
        people = list(_find_employments(session))
        found: set[int] = set()
        for rule, months in rules.items():
            cutoff = _months_before(today, months)
            leavers = [n for n, person in enumerate(people) if person.left_on is not None and person.left_on < cutoff]
            if _apply_rule(session, plans, rule, cutoff, [people[n] for n in leavers]):
                found |= {*leavers}
        for plan in plans:
            _count(session, plan)
        report = Report("retain", dry_run, plans=plans, people=len(found))
        if not dry_run and any(plan.is_changed for plan in plans):
            session.rewrite(plans, lambda _tables: None)
        return report


def _apply_rule(
    session: Session,
    plans: Sequence[TablePlan],
    rule: str,
    cutoff: date,
    leavers: Sequence[Employment],
) -> bool:
    """Adds what a rule removes to the plans. Returns whether it depends on people who left.

    Raises:
        TargetError: The rule names neither a class nor a table.
    """
    table_name, _, column = rule.partition(":")
    tables = {plan.table.full_name for plan in plans if table_name in {plan.table.full_name, plan.table.name}}
    columns = {plan.number: _columns_of_class(plan.table, rule) for plan in plans}
    if not tables and not any(columns.values()):
        raise TargetError(
            f"The setting `retention` names '{rule}', which is neither a protection class of a column nor a table of"
            " the DuckDB file."
        )
    identity = Identity()
    for person in () if column else leavers:
        for space, value in person.identifiers:
            identity.add(space, value)
    planner = Planner(session.connection, session.tables, IdentityMatcher(session.connection, identity))
    about = [TablePlan(plan.table, f"rule_{number}") for number, plan in enumerate(plans)]
    if column:
        planner.collect_older(about, tables, column, cutoff)
    else:
        planner.collect_about(about, tables or None)
    for found, plan in zip(about, plans, strict=True):
        if not found.deleted:
            continue
        in_key = any(item in plan.table.keys for item in columns[plan.number])
        if tables or in_key:
            session.connection.execute(f"INSERT INTO {plan.gone} SELECT id FROM {found.gone}")  # noqa: S608 - own names
            continue
        for item in columns[plan.number]:
            if item not in plan.columns:
                plan.columns.append(item)
            place = plan.columns.index(item)
            session.connection.execute(
                f"INSERT INTO _clear_{plan.number} SELECT t.rowid, {place} FROM {plan.table.sql} AS t"  # noqa: S608 - quoted names
                f" WHERE t.{quote_identifier(item)} IS NOT NULL AND t.rowid IN (SELECT id FROM {found.gone})"
            )
    return not column


def _columns_of_class(table: FileTable, name: str) -> list[str]:
    """Returns the columns whose values, or parts of them, have a class or a class below it."""
    return [
        column
        for column, classes in table.all_classes.items()
        if any(found == name or found.startswith(f"{name}.") for found in classes)
    ]


def _count(session: Session, plan: TablePlan) -> None:
    """Counts what is removed from a table, and collects the values that are emptied in the rows that stay."""
    execute = session.connection.execute
    plan.deleted = execute(f"SELECT count(DISTINCT id) FROM {plan.gone}").fetchall()[0][0]  # noqa: S608 - own name
    pairs = "".join(
        f", bool_or(place = {place}) AS n{place}, CAST(NULL AS VARCHAR) AS v{place}"
        for place in range(len(plan.columns))
    )
    execute(
        f"CREATE OR REPLACE TEMP TABLE _changes_{plan.number} AS SELECT id{pairs} FROM _clear_{plan.number}"  # noqa: S608 - own names
        f" WHERE id NOT IN (SELECT id FROM {plan.gone}) GROUP BY id"
    )
    plan.mentions = execute(f"SELECT count(*) FROM {plan.changes}").fetchall()[0][0]  # noqa: S608 - own name


def _months_before(day: date, months: int) -> date:
    total = day.year * _MONTHS + day.month - 1 - months
    year, month = divmod(total, _MONTHS)
    for last in range(day.day, 0, -1):  # the last day of a shorter month
        try:
            return date(year, month + 1, last)
        except ValueError:
            continue
    raise AssertionError


def _find_employments(session: Session) -> Iterator[Employment]:
    """Yields what is known of each person, at all vendors together."""
    by_identifier: dict[tuple[str, str], Employment] = {}
    for table in session.tables:
        for row in _read_employments(session, table) if table.stream is not None else ():
            known = {id(found): found for key in row.identifiers if (found := by_identifier.get(key))}
            for other in known.values():
                row.add(other)
            by_identifier |= dict.fromkeys(row.identifiers, row)
    yield from {id(person): person for person in by_identifier.values()}.values()


def _read_employments(session: Session, table: FileTable) -> Iterator[Employment]:
    """Yields what the rows of a table say of the employment of the people that they are about."""
    fields = [item for item in subject_fields(table) if item.reference.form != NUMBER and not is_contact(item)]
    if not is_record(table):
        fields = [item for item in fields if item.reference.form == ID][:1]
    ends = [sql for name, sql in _dates_of(table, _END) if _LEAVING.search(name)]
    starts = [sql for name, sql in _dates_of(table, _START) if _JOINING.search(name)]
    if not fields or not (is_record(table) or ends or starts):
        return
    end, start = (f"greatest({', '.join(dates)})" if dates else "CAST(NULL AS DATE)" for dates in (ends, starts))
    deleted = table.find_column(DELETED_AT)
    gone = f"TRY_CAST(t.{quote_identifier(deleted)} AS DATE)" if deleted else "CAST(NULL AS DATE)"
    values = ", ".join(item.identifier_sql for item in fields)
    rows = session.connection.execute(f"SELECT {values}, {end}, {start}, {gone} FROM {table.sql} AS t").fetchall()  # noqa: S608 - quoted names
    for *identifiers, ended_on, started_on, deleted_on in rows:
        probe = Identity()
        found = {
            (item.space, value)
            for item, value in zip(fields, identifiers, strict=True)
            if value and probe.add(item.space, value)
        }
        last_day = ended_on or (deleted_on if is_record(table) else None)
        person = Employment(found, [last_day] if last_day else [], [started_on] if started_on else [])
        person.is_employed = bool(ends) and last_day is None and deleted_on is None
        if found:
            yield person


def _dates_of(table: FileTable, name: str) -> Iterator[tuple[str, str]]:
    """Yields the names and the SQL of the dates of a class, also of those within objects."""
    found: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for path, protection in table.paths.items():
        if protection == name and "[]" not in path:
            found[path[0]].append(path)
    for paths in found.values():
        for path in paths:
            column = f"t.{quote_identifier(path[0])}"
            text = f"CAST({column} AS VARCHAR)"
            if len(path) > 1:
                inner = "".join(f".{quote_identifier(part)}" for part in path[1:])
                text = f"json_extract_string({json_sql(column, table.columns[path[0]])}, '${inner}')"
            yield path[-1], f"TRY_CAST(left({text}, 10) AS DATE)"
