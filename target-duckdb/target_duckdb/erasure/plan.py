"""Decides row by row what goes: rows about the people, and mentions of them in rows about something else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from target_duckdb import nested_types
from target_duckdb.database import quote_identifier, quote_literal
from target_duckdb.erasure.person import is_contact, subject_fields
from target_duckdb.errors import TargetError
from target_duckdb.own_tables import REJECTED
from target_duckdb.people import (
    any_sql,
    find_attached_names,
    normalized_sql,
    remove_mentions,
    split_places,
    subject_names,
)
from target_duckdb.references import ID, NAME, ROW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import date

    import duckdb

    from target_duckdb.erasure.file_tables import FileTable
    from target_duckdb.erasure.person import IdentityMatcher
    from target_duckdb.people import Located


@dataclass
class TablePlan:
    """What is removed from a table.

    Attributes:
        table: The table.
        number: Identifies its temporary tables: the ids of the rows that go, and the values that change.
        deleted: The number of rows that go.
        mentions: The number of rows that stay without a mention.
        columns: The columns whose values change in them.
    """

    table: FileTable
    number: str
    deleted: int = 0
    mentions: int = 0
    columns: list[str] = field(default_factory=list)

    @property
    def gone(self) -> str:
        """The temporary table with the ids of the rows that go."""
        return f"temp.main._gone_{self.number}"

    @property
    def changes(self) -> str:
        """The temporary table with the values that change."""
        return f"temp.main._changes_{self.number}"

    @property
    def is_changed(self) -> bool:
        """Whether anything is removed from the table."""
        return bool(self.deleted or self.mentions)

    @property
    def stays_sql(self) -> str:
        """A condition for the rows that stay."""
        return f"t.rowid NOT IN (SELECT id FROM {self.gone})"  # noqa: S608 - own name

    def select_sql(self) -> str:
        """Returns the query for the rows that stay, with the values that change."""
        exprs = ", ".join(self._value_sql(name) for name in self.table.columns)
        join = f" LEFT JOIN {self.changes} AS c ON c.id = t.rowid" if self.mentions else ""
        where = f" WHERE {self.stays_sql}" if self.deleted else ""
        return f"SELECT {exprs} FROM {self.table.sql} AS t{join}{where}"  # noqa: S608 - quoted names

    def _value_sql(self, name: str) -> str:
        old = f"t.{quote_identifier(name)}"
        if not self.mentions or name not in self.columns:
            return old
        place, type_ = self.columns.index(name), self.table.columns[name]
        if nested_types.is_nested(type_):
            new = f"CAST(CAST(c.v{place} AS JSON) AS {type_})"
        else:
            new = f"CAST(c.v{place} AS {type_})"
        return f"CASE WHEN c.n{place} THEN {new} ELSE {old} END"


class Planner:
    """Plans what is removed from each table.

    Args:
        connection: A connection to the file.
        tables: Its tables.
        matcher: Matches the identifiers of the people.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, tables: Sequence[FileTable], matcher: IdentityMatcher
    ) -> None:
        self._connection = connection
        self._tables = tables
        self._matcher = matcher
        #: How many of the names somebody else has, too.
        self.shared_names = 0

    def plan(self) -> list[TablePlan]:
        """Returns the plan of each table."""
        self._add_unique_names()
        plans = [TablePlan(table, str(number)) for number, table in enumerate(self._tables)]
        self.collect_about(plans)
        for plan in plans:
            if plan.table.fields:
                self._collect_mentions(plan)
        return plans

    def count_references(self, tables: Iterable[FileTable]) -> int:
        """Counts the rows of tables that still refer to the people."""
        found = 0
        for table in tables:
            matches = [self._match_sql(item) for item in table.fields]
            conditions = [self._about_sql(table), *matches] if table.fields else []
            if conditions:
                found += self._count(f"SELECT count(*) FROM {table.sql} AS t WHERE {any_sql(conditions)}")  # noqa: S608 - quoted names
        return found

    def _execute(self, sql: str) -> duckdb.DuckDBPyConnection:
        return self._connection.execute(sql)

    def _count(self, sql: str) -> int:
        return int(self._execute(sql).fetchall()[0][0])

    def _add_unique_names(self) -> None:
        """Makes full names identifiers, if nobody else in the file has them."""
        identity = self._matcher.identity
        shared: set[str] = set()
        for table in self._tables:
            names = subject_names(table.fields)
            ids = [item for item in subject_fields(table) if item.reference.form == ID]
            if not names or not ids or not identity.names:
                continue
            parts = [normalized_sql(item.value_sql) for item in names]
            pairs = [f"{one} || ' ' || {other}" for one in parts for other in parts if one != other]
            mine = any_sql(item.match_sql(self._matcher) for item in ids)
            known = ", ".join(map(quote_literal, sorted(identity.names)))
            for name in [*parts, *pairs]:
                sql = f"SELECT DISTINCT {name} FROM {table.sql} AS t WHERE NOT {mine} AND {name} IN ({known})"  # noqa: S608 - quoted names
                shared |= {value for (value,) in self._execute(sql).fetchall()}
        unique = identity.names - shared
        identity.values[NAME] = unique
        self._matcher.update({NAME: unique})
        self.shared_names = len(shared)

    def _match_sql(self, item: Located) -> str:
        """Returns SQL for whether a row refers to one of the people at a place."""
        if is_contact(item):
            known = sorted(self._matcher.identity.contact_emails)
            found = f"{normalized_sql(item.value_sql)} IN ({', '.join(map(quote_literal, known))})"
            return f"coalesce({found}, false)" if known and item.reference.is_subject else "false"
        return item.match_sql(self._matcher)

    def _about_sql(self, table: FileTable) -> str:
        """Returns SQL for whether a row is about one of the people."""
        about, _ = split_places(table.fields)
        conditions = [self._match_sql(item) for item in about]
        if REJECTED.is_name(table.name):
            conditions += [
                f"contains(lower(CAST(t.record AS VARCHAR)), {quote_literal(address)})"
                for address in sorted(self._matcher.identity.emails)
            ]
        return any_sql(condition for condition in conditions if condition != "false")

    def collect_about(self, plans: Sequence[TablePlan], tables: set[str] | None = None) -> None:
        """Finds the rows about the people, and the rows that belong to these.

        Args:
            plans: The plan of each table.
            tables: The names of the tables to look in. None: in all.
        """
        for plan in plans:
            self._execute(f"CREATE OR REPLACE TEMP TABLE {plan.gone} (id BIGINT)")
        chosen = [plan for plan in plans if tables is None or plan.table.full_name in tables]
        self._collect_with_children(plans, chosen)

    def collect_older(self, plans: Sequence[TablePlan], tables: set[str], column: str, before: date) -> None:
        """Finds the rows of tables whose date is before a day, and the rows that belong to these.

        Raises:
            TargetError: A table has no such column.
        """
        chosen = [plan for plan in plans if plan.table.full_name in tables]
        for plan in plans:
            self._execute(f"CREATE OR REPLACE TEMP TABLE {plan.gone} (id BIGINT)")
        for plan in chosen:
            name = plan.table.find_column(column)
            if name is None:
                raise TargetError(f"The table '{plan.table.full_name}' has no column '{column}': correct `retention`.")
            day = f"TRY_CAST(left(CAST(t.{quote_identifier(name)} AS VARCHAR), 10) AS DATE)"
            condition = f"coalesce({day} < {quote_literal(before.isoformat())}::DATE, false)"
            self._execute(f"INSERT INTO {plan.gone} SELECT t.rowid FROM {plan.table.sql} AS t WHERE {condition}")  # noqa: S608 - quoted names
            plan.deleted = self._count(f"SELECT count(*) FROM {plan.gone}")  # noqa: S608 - own name
        self._collect_with_children(plans, chosen)

    def _collect_with_children(self, plans: Sequence[TablePlan], chosen: Sequence[TablePlan]) -> None:
        """Finds the rows that go in the chosen tables, and the rows that belong to them in all tables."""
        parents = {item.space for plan in plans for item in plan.table.fields if item.reference.form == ROW}
        due = list(chosen)
        while due:
            for plan in due:
                if plan.table.fields:
                    self._collect_deleted_of(plan)
            grown: set[str] = set()
            for plan in due:
                space = f"{plan.table.schema}/row/{plan.table.stream}"
                if space in parents and plan.deleted and len(plan.table.keys) == 1:
                    before = len(self._matcher.identity.values.get(space, ()))
                    key = normalized_sql(f"CAST(t.{quote_identifier(plan.table.keys[0])} AS VARCHAR)")
                    gone = f"SELECT id FROM {plan.gone}"  # noqa: S608 - own name
                    self._matcher.add_rows(space, f"SELECT {key} FROM {plan.table.sql} AS t WHERE t.rowid IN ({gone})")  # noqa: S608 - quoted names
                    if len(self._matcher.identity.values[space]) > before:
                        grown.add(space)
            due = [plan for plan in plans if grown & {item.space for item in plan.table.fields}]

    def _collect_deleted_of(self, plan: TablePlan) -> None:
        condition = self._about_sql(plan.table)
        self._execute(
            f"INSERT INTO {plan.gone} SELECT t.rowid FROM {plan.table.sql} AS t"  # noqa: S608 - quoted names
            f" WHERE {condition} AND {plan.stays_sql}"
        )
        plan.deleted = self._count(f"SELECT count(*) FROM {plan.gone}")  # noqa: S608 - own name

    def _collect_mentions(self, plan: TablePlan) -> None:
        """Finds the values that change in the rows that stay."""
        table = plan.table
        _, mentions = split_places(table.fields)
        places = [item for item in mentions if self._match_sql(item) != "false"]
        if not places:
            return
        nested = sorted({item.column for item in places if item.is_nested})
        conditions = [self._match_sql(item) for item in places]
        texts = [f"CAST({_json_of(places, column)} AS VARCHAR)" for column in nested]
        rows = self._execute(
            f"SELECT t.rowid, {', '.join([*conditions, *texts])} FROM {table.sql} AS t"  # noqa: S608 - quoted names
            f" WHERE {any_sql(conditions)} AND {plan.stays_sql}"
        ).fetchall()
        if not rows:
            return
        columns = dict.fromkeys(
            name
            for item in places
            for name in (item.column, *(other.column for other in find_attached_names(item, table.fields)))
        )
        plan.columns = [name for name in columns if name not in table.keys]
        changed = [self._change_row(plan, places, nested, row) for row in rows]
        self._write_changes(plan, changed)
        plan.mentions = len(changed)

    def _change_row(
        self, plan: TablePlan, places: Sequence[Located], nested: Sequence[str], row: Sequence[object]
    ) -> dict[str, str | None]:
        """Returns the new values of a row by column, and its id under the name `""`."""
        row_id, flags, texts = row[0], row[1 : len(places) + 1], row[len(places) + 1 :]
        changes: dict[str, str | None] = {"": str(row_id)}
        current = dict(zip(nested, texts, strict=True))
        for item, is_match in zip(places, flags, strict=True):
            if not is_match:
                continue
            if item.is_nested:
                text = changes.get(item.column, current[item.column])
                if text is not None:
                    left = remove_mentions(str(text).encode(), item.reference.path[1:], self._make_test(item))
                    changes[item.column] = None if left is None else left.decode()
                continue
            changes[item.column] = None
            changes |= {other.column: None for other in find_attached_names(item, plan.table.fields)}
        return changes

    def _make_test(self, item: Located) -> Callable[[str], bool]:
        space = item.space
        return lambda value: self._matcher.matches(space, value)

    def _write_changes(self, plan: TablePlan, rows: Sequence[dict[str, str | None]]) -> None:
        pairs = "".join(f", n{place} BOOLEAN, v{place} VARCHAR" for place in range(len(plan.columns)))
        self._execute(f"CREATE OR REPLACE TEMP TABLE _changes_{plan.number} (id BIGINT{pairs})")
        values: list[list[object]] = [[int(str(row[""])) for row in rows]]
        for name in plan.columns:
            values += [[name in row for row in rows], [row.get(name) for row in rows]]
        lists = ", ".join("unnest(?)" for _ in values)
        self._connection.execute(f"INSERT INTO {plan.changes} SELECT {lists}", values)


def _json_of(places: Sequence[Located], column: str) -> str:
    return next(item.json for item in places if item.column == column)
