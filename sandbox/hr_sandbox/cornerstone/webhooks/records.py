"""The records of events, with full data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hr_sandbox import clock
from hr_sandbox.clock import format_rfc3339
from hr_sandbox.cornerstone.rows.common import make_login, make_user_id
from hr_sandbox.cornerstone.rows.people import list_units_of_user
from hr_sandbox.cornerstone.snapshot import stable_uuid
from hr_sandbox.cornerstone.timestamps import DAY, to_datetime

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from hr_sandbox.company.model.people import Person
    from hr_sandbox.cornerstone.snapshot import Snapshot, Transcript
    from hr_sandbox.http.messages import Json

COMPLETED, ASSIGNED, EMPLOYEE = "TrainingCompleted", "TrainingAssigned", "EmployeeCreated"
EVENTS = (COMPLETED, ASSIGNED, EMPLOYEE)
CORPORATION, CLOUD_ID = "nordlicht", "nordlichtcloud1"
NO_CORRELATION = "00000000-0000-0000-0000-000000000000"
DUE_DAYS = 30


@dataclass(frozen=True, slots=True)
class Record:
    """An event.

    Attributes:
        value: its data, with its headers.
        message_id: its id.
        happened: when it happened.
        offset: its place among the events of one webhook; 0 before it belongs to one.
        repeats: whether it was sent before.
    """

    value: Json
    message_id: str
    happened: datetime
    offset: int = 0
    repeats: bool = False

    def render(self) -> Json:
        """Returns the record with the seconds since the event."""
        return {
            "lag": (clock.read_precise_clock() - self.happened).total_seconds(),
            "value": self.value,
            "offset": self.offset,
            "timestamp": format_rfc3339(self.happened),
            "correlationId": self.value["headers"]["correlationId"],
        }


def make_training_record(event: str, snapshot: Snapshot, row: Transcript, make_id: Callable[[], str]) -> Record:
    """Returns the record of a training that was completed or assigned."""
    person, training, message_id = snapshot.company.people[row.user_id], row.training, make_id()
    job = snapshot.employments.get(person.id)
    division = snapshot.company.departments[job.department_id].abbreviation if job else None
    location = snapshot.company.offices[job.office_id].city if job else None
    user = make_user_id(person)
    data = {
        "eventId": message_id,
        "providerId": stable_uuid("provider", training.index % 5),
        "trainingId": training.object_id,
        "trainingRef": f"LO-{training.index:04}",
        "targetUserId": person.id,
        "targetUserRef": user,
        "trainingTitle": training.title,
        "transcriptUrl": f"https://{CORPORATION}.csod.example/phnx/driver.aspx?routename=Social/UniversalProfile/"
        f"Transcript&TargetUser={person.id}",
        "targetUserGuid": stable_uuid("user", person.id),
        "targetUsername": make_login(person),
        "createdByUserId": person.id,
        "createdByUserRef": user,
        "dueDateTimestamp": format_rfc3339(to_datetime(row.created + DUE_DAYS * DAY)),
        "targetUserLastName": person.last_name,
        "targetUserFirstName": person.first_name,
        "targetUserDivisionRef": division,
        "targetUserLocationRef": location,
        "isStandaloneOnTranscript": row.assignment_id is None,
        "trainingRegistrationNumber": row.reg_num,
        "trainingActionDateTimestamp": format_rfc3339(to_datetime(row.completed or row.created)),
    }
    headers = {
        "actorId": person.id,
        "corpName": CORPORATION,
        "cultureId": 0,
        "messageId": message_id,
        "cloudCorpId": CLOUD_ID,
        "cultureName": "",
        "correlationId": NO_CORRELATION,
    }
    member = event[0].lower() + event[1:]
    value = {"headers": headers, "lmsEventsCase": event, member: {"data": data}}
    return Record(value, message_id, clock.read_precise_clock())


def make_employee_record(snapshot: Snapshot, person: Person, make_id: Callable[[], str]) -> Record:
    """Returns the record of a new employee, with the organizational units."""
    units = [
        {"typeId": kind, "employeeId": person.id, "organizationalUnitId": number}
        for kind, number in list_units_of_user(snapshot, person.id)
    ]
    message_id = make_id()
    headers = {
        "actorId": 0,
        "corpName": CORPORATION,
        "cultureId": 2,
        "messageId": message_id,
        "correlationId": make_id(),
        "applicationSource": "CHR",
    }
    created = {"employeeId": person.id, "createEmployeeOus": {"changes": units}}
    return Record({"headers": headers, "employeeCreated": created}, message_id, clock.read_precise_clock())
