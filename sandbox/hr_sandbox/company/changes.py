"""Changes to the company at run time. Each returns the records that it created, updated or deleted."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from hr_sandbox import clock
from hr_sandbox.company.additions import Additions
from hr_sandbox.company.fields import ChangeError, is_attribute_value, parse_field
from hr_sandbox.company.generator import SeededRandom
from hr_sandbox.company.model.company import Company, Table, key_of
from hr_sandbox.company.model.documents import Application, Transition
from hr_sandbox.company.model.people import Person, Termination
from hr_sandbox.company.pay import Pay
from hr_sandbox.company.people import Careers, People
from hr_sandbox.company.recruiting import FINAL_STAGES
from hr_sandbox.company.references import find_owned, find_referenced_table, is_referenced

if TYPE_CHECKING:
    from collections.abc import Callable

    from hr_sandbox.company.model.company import Record
    from hr_sandbox.company.model.people import Employment

ATTRIBUTES = "attributes."
TERMINATION = "termination"


@dataclass(frozen=True, slots=True)
class Change:
    """A change to one record.

    Attributes:
        action: `created`, `updated` or `deleted`.
        kind: such as `person`.
        id: the record's opaque id.
        number: the record's number.
        record: the record itself, also if it was deleted.
        attribute: the field that was changed, if it was one.
    """

    action: str
    kind: str
    id: str
    number: int
    record: Any = field(repr=False, compare=False)
    attribute: str | None = field(default=None, compare=False)


class Changes:
    """Changes records of a company. Timestamps are the clock's.

    Attributes:
        listeners: are called with the changes of each call.
    """

    def __init__(self, company: Company, now: Callable[[], datetime] = clock.read_clock) -> None:
        self.company = company
        self._now = now
        self._rng = SeededRandom(f"changes/{company.seed}", company.today)
        self._additions = Additions(company, self._rng, now)
        self.listeners: list[Callable[[list[Change]], None]] = []
        self._tables: dict[str, Table[Any]] = {table.kind: table for table in company.tables()}

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of records that can be changed."""
        return tuple(self._tables)

    def hire(self, start_date: date | None = None, /, **given: Any) -> list[Change]:
        """Hires a person with these fields from a day, by default today: adds a person, an employment and a salary."""
        start = start_date or self.company.today
        parsed = {name: parse_field(Person, name, value) for name, value in given.items()}
        # Created each time, because offices, jobs and teams may have changed.
        people, careers = People(self.company, self._rng), Careers(self.company, self._rng)
        person, office = people.generate_person(start)
        for name, value in parsed.items():
            setattr(person, name, value)
        if "email" not in parsed:
            person.email = people.make_email(person)
        employment = careers.generate_open_employment(person, office, start)
        Pay(self.company, self._rng).generate([employment])
        for row in (person, employment):
            row.created_at = row.updated_at = self._now()
        rows: list[tuple[str, Record]] = [("person", person), ("employment", employment)]
        rows += [("compensation", row) for row in self.company.compensations.find_by_owner(person.id)]
        return self._report([_make_change("created", kind, row) for kind, row in rows])

    def exists(self, kind: str, key: str) -> bool:
        """Returns whether there is a record."""
        return self._find_table(kind).find(key) is not None

    def create(self, kind: str, person_id: str, /, **given: Any) -> list[Change]:
        """Adds an absence, working time or a document of a person, with any of its fields."""
        person = self._find_record(self.company.people, person_id)
        return self._report([_make_change("created", kind, self._additions.add(kind, person, given))])

    def terminate(self, person_id: str | None = None, day: date | None = None) -> list[Change]:
        """Ends an employment and its pay, and removes later absences and working time."""
        day = day or self.company.today
        employment = self._find_open_employment(person_id, day)
        employment.end_date = day
        if day < self.company.today:
            employment.status = "INACTIVE"
        decided = max(employment.start_date, min(day, self._now().date()))
        employment.termination = Termination(day, day, decided, "EMPLOYEE", "New challenge")
        employment.updated_at = self._now()
        changes = [_make_change("updated", "employment", employment, TERMINATION)]
        changes += self._end_pay(employment, day)
        changes += self._end_absences(employment, day)
        worked = [row for row in self.company.attendances.find_by_owner(employment.person_id) if row.day > day]
        changes += self._delete_records(self.company.attendances, worked)
        return self._report(changes)

    def edit(self, kind: str, key: str, field: str, value: Any) -> list[Change]:  # noqa: ANN401  any field
        """Sets a field of a record. Changing an employment does not update the person's timestamp."""
        table = self._find_table(kind)
        row = self._find_record(table, key)
        if isinstance(row, Person) and field.startswith(ATTRIBUTES):
            self._edit_attribute(row, field.removeprefix(ATTRIBUTES), value)
        elif isinstance(row, Application) and field == "stage":
            self._move_application(row, value)
        else:
            parsed = parse_field(type(row), field, value)
            if field.endswith("_id") and parsed is not None:
                self._check_reference(table, row, field, parsed)
            if field == "cost_centers" and not all(number in self.company.cost_centers for number, _ in parsed):
                raise ChangeError(f"The field {field} cannot be {value!r}: there is no such cost_center.")
            setattr(row, field, parsed)
        if hasattr(row, "updated_at") and field != "updated_at":
            row.updated_at = self._now()
        return self._report([_make_change("updated", kind, row, field)])

    def delete(self, kind: str, key: str) -> list[Change]:
        """Deletes a record and the records that it owns. Fails if other records refer to it."""
        table = self._find_table(kind)
        row = self._find_record(table, key)
        if is_referenced(self.company, kind, row.id):
            raise ChangeError(f"The {kind} {key} is referenced by other records.")
        changes = [_make_change("deleted", kind, row)]
        for child in find_owned(self.company, kind, row.id):
            changes += self._delete_records(*child)
        if kind == "person":
            changes += self._remove_references(row.id)
        table.remove(row)
        return self._report(changes)

    def _delete_records(self, table: Table[Any], rows: list[Any]) -> list[Change]:
        """Deletes records of a table."""
        for row in rows:
            table.remove(row)
        return [_make_change("deleted", table.kind, row) for row in rows]

    def _remove_references(self, person_id: int) -> list[Change]:
        """Removes the references to a person from other records."""
        company = self.company
        touched: list[tuple[str, Any]] = []
        for employment in company.employments:
            if employment.supervisor_id == person_id and employment.person_id != person_id:
                employment.supervisor_id = None
                touched.append((company.employments.kind, employment))
        for project in company.projects:
            if person_id in project.member_ids:
                project.member_ids.remove(person_id)
                touched.append((company.projects.kind, project))
        for opening in company.openings:
            if person_id in opening.recruiter_ids:
                opening.recruiter_ids.remove(person_id)
                touched.append((company.openings.kind, opening))
        for _, row in touched:
            row.updated_at = self._now()
        return [_make_change("updated", kind, row) for kind, row in touched]

    def _find_open_employment(self, person_id: str | None, day: date) -> Employment:
        company = self.company
        if person_id is None:
            supervisors = {row.supervisor_id for row in company.employments}
            people = [row.id for row in company.people if row.id not in supervisors]
        else:
            people = [self._find_record(company.people, person_id).id]
        latest = (company.latest_employment(number) for number in people)
        for row in latest:
            if row and row.status != "INACTIVE" and row.end_date is None and row.start_date <= day:
                return row
        whom = "No person" if person_id is None else f"The person {person_id}"
        raise ChangeError(f"{whom} has an open employment that can end on {day}.")

    def _end_pay(self, employment: Employment, day: date) -> list[Change]:
        changes = []
        for row in self.company.compensations.find_by_owner(employment.person_id):
            if row.effective_from > day:
                self.company.compensations.remove(row)
                changes.append(_make_change("deleted", "compensation", row))
            elif row.effective_to is None or row.effective_to > day:
                row.effective_to = day
                changes.append(_make_change("updated", "compensation", row))
        return changes

    def _end_absences(self, employment: Employment, day: date) -> list[Change]:
        end = datetime.combine(day + timedelta(1), time())
        changes = []
        for row in self.company.absences.find_by_owner(employment.person_id):
            if row.starts_at >= end:
                self.company.absences.remove(row)
                changes.append(_make_change("deleted", "absence_period", row))
            elif row.ends_at is None or row.ends_at > end:
                row.ends_at, row.updated_at = end, self._now()
                row.end_half = row.end_half or "SECOND_HALF"
                changes.append(_make_change("updated", "absence_period", row))
        return changes

    def _check_reference(self, table: Table[Any], row: Any, field: str, number: int) -> None:  # noqa: ANN401  any record
        """Rejects references to records that do not exist, and cycles."""
        others = self._find_referenced_table(table, field)
        if others is None:
            raise ChangeError(f"The field {field} of a record of the kind {table.kind} cannot be changed.")
        if number not in others:
            raise ChangeError(f"The field {field} cannot be {number}: there is no such {others.kind}.")
        above = {"parent_id": self._parent_finder(table), "supervisor_id": self._list_supervisors}.get(field)
        lowest = row.person_id if field == "supervisor_id" else row.id
        if above and lowest in _find_ancestors(number, above):
            raise ChangeError(f"The field {field} cannot be {number}: that would be a cycle.")

    def _find_referenced_table(self, table: Table[Any], field: str) -> Table[Any] | None:
        """Returns the table that a field refers to, or None."""
        return self.company.people if field == "supervisor_id" else find_referenced_table(self.company, table, field)

    def _list_supervisors(self, person_id: int) -> list[int]:
        """Returns the supervisors of all employments of a person."""
        stints = self.company.employments.find_by_owner(person_id)
        return [row.supervisor_id for row in stints if row.supervisor_id is not None]

    @staticmethod
    def _parent_finder(table: Table[Any]) -> Callable[[int], list[int]]:
        return lambda number: [] if table[number].parent_id is None else [table[number].parent_id]

    def _edit_attribute(self, row: Person, name: str, value: Any) -> None:  # noqa: ANN401  any attribute
        kinds = {definition.id: definition.type for definition in self.company.attributes}
        if name not in kinds:
            raise ChangeError(f"There is no attribute {name}.")
        if value is None:
            row.attributes.pop(name, None)
        elif is_attribute_value(kinds[name], value):
            row.attributes[name] = value
        else:
            raise ChangeError(f"The attribute {name} must be of the type {kinds[name]}.")

    def _move_application(self, row: Application, value: Any) -> None:  # noqa: ANN401  what JSON holds
        """Moves an application to a stage, given by its name or kind."""
        company = self.company
        own = company.categories[company.openings[row.opening_id].category_id].stages
        stages = {stage.name or stage.kind: stage for stage in (*own, *FINAL_STAGES.values())}
        if not isinstance(value, str) or value not in stages:
            raise ChangeError(f"There is no stage {value}; choose from {', '.join(stages)}.")
        timestamp = max(self._now(), row.transitions[-1].entered_at + timedelta(seconds=1))
        row.transitions.append(Transition(len(row.transitions) + 1, timestamp, stages[value]))

    def _find_table(self, kind: str) -> Table[Any]:
        if kind not in self._tables:
            raise ChangeError(f"There is no kind {kind}; choose from {', '.join(self._tables)}.")
        return self._tables[kind]

    @staticmethod
    def _find_record(table: Table[Any], key: str) -> Any:  # noqa: ANN401  a record of the table
        row = table.find(str(key))
        if row is None:
            raise ChangeError(f"There is no {table.kind} {key}.")
        return row

    def _report(self, changes: list[Change]) -> list[Change]:
        """Tells the listeners about changes."""
        self.company.version += 1
        for listen in self.listeners:
            listen(changes)
        return changes


def _find_ancestors(number: int, above: Callable[[int], list[int]]) -> set[int]:
    """Returns this record's number and those of all its ancestors."""
    found: set[int] = set()
    ahead = [number]
    while ahead:
        number = ahead.pop()
        if number not in found:
            found.add(number)
            ahead += above(number)
    return found


def _make_change(action: str, kind: str, row: Record, attribute: str | None = None) -> Change:
    return Change(action, kind, key_of(row), row.id, row, attribute)
