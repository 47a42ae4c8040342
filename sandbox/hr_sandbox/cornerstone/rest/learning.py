"""Transcripts by modification date, the catalog, training details and session rosters."""

from __future__ import annotations

import time
from datetime import timedelta
from itertools import groupby
from typing import TYPE_CHECKING

from hr_sandbox.cornerstone.errors import TOO_MANY, format_time
from hr_sandbox.cornerstone.rest.route import OLD, Context, Route, Streams, older_response
from hr_sandbox.cornerstone.rows.common import login, ref
from hr_sandbox.cornerstone.rows.learning import NAMES, TYPE_NAMES
from hr_sandbox.cornerstone.timestamps import DAY, parse_timestamp, to_datetime, to_ticks
from hr_sandbox.http.messages import ApiError
from hr_sandbox.stable_random import stable_number

if TYPE_CHECKING:
    from datetime import date

    from hr_sandbox.cornerstone.rest.route import Call
    from hr_sandbox.cornerstone.snapshot import Training, Transcript
    from hr_sandbox.http.messages import Json, Response

SEARCH, CATALOG = "/services/api/LOTranscript/TranscriptSearch", "/services/api/Catalog/GlobalSearch"
DETAILS, ROSTER = "/services/api/LO/GetDetails", "/services/api/SessionRoster/GetSessionRoster"
PAGE_SIZE = 50
SEARCH_SECONDS = 0.01  # seconds that a catalog search takes
FROM, UNTIL = "ModificationStartDate", "ModificationEndDate"
LOID, LO_ID = "LOID", "LoId"
PROVIDERS = (None, "Nordlicht Akademie", "LearnCo")
TOPIC_OF_ALL = "Compliance"
HOURS, HOUR = 8, DAY // 24


def _when(ticks: int | None) -> str | None:
    return None if ticks is None else format_time(to_datetime(ticks))


def transcript(row: Transcript, named: str = LOID) -> Json:
    """Render a transcript.

    Args:
        row: the row.
        named: the name of the training's id.
    """
    training = row.training
    is_session = training.parent_id is not None
    return {
        named: training.object_id,
        "Title": training.title,
        "Type": TYPE_NAMES[training.type],
        "LoType": training.type,
        "Status": NAMES[row.status_id],
        "RegistrationDate": _when(row.created),
        "StartDate": _when(row.started),
        "CompletionDate": _when(row.completed),
        "ModificationDate": _when(row.modified),
        "Score": row.score,
        "IsRequired": row.assignment_id is not None,
        "TotalTime": f"{stable_number('total time', row.user_id, training.index) % 300 // 60:02}:00",
        "TrainingHours": training.hours,
        "ProviderName": PROVIDERS[training.index % len(PROVIDERS)],
        "LoProviderId": training.index % len(PROVIDERS) or None,
        "LaunchUrl": f"https://portal.example/Evaluations/EvalLaunch.aspx?loid={training.object_id}",
        "Subjects": [TOPIC_OF_ALL] if training.index % 4 == 0 else [],
        "Parts": [{"PartName": "1", "StartDateTime": _when(training.created)}] if is_session else None,
        "StartDateTime": _when(training.created) if is_session else None,
        "EndDateTime": _when(training.created + HOURS * HOUR) if is_session else None,
    }


def changed(context: Context, first: int, end: int) -> list[Json]:
    """Return what active users changed in a range of timestamps (end exclusive)."""
    named = LO_ID if context.modes.get("transcripts") == LO_ID else LOID
    rows = [row for row in context.snapshot.transcripts if row.latest and first <= row.modified < end]
    found: list[Json] = []
    for number, taken in groupby(rows, key=lambda row: row.user_id):
        if context.snapshot.is_active(number):
            person = context.company.people[number]
            item = {
                "UserId": ref(person),
                "UserName": login(person),
                "FirstName": person.first_name,
                "LastName": person.last_name,
                "Transcripts": [transcript(row, named) for row in taken],
            }
            found.append({"TranscriptItem": item})
    return found


def _search(context: Context, call: Call) -> Response:
    given = {name: call.given[name.lower()] for name in (FROM, UNTIL) if name.lower() in call.given}
    now = to_ticks(context.store.clock.now())
    first, end = now - DAY, now
    if given:
        for name in (FROM, UNTIL):
            if name not in given:
                raise call.bad_request(name, "is needed with the other one")
        bounds = [parse_timestamp(text if text.endswith("Z") else f"{text}Z") for text in given.values()]
        if None in bounds:
            raise call.bad_request(FROM, "must be a date such as 2024-01-31T00:00:00")
        first, end = (bound or 0 for bound in bounds)
    if not 0 <= end - first <= DAY:
        raise call.bad_request(UNTIL, "the window is 24 hours at most")
    rows = changed(context, first, end)
    return older_response(call, call.page(rows, "pageNumber", PAGE_SIZE), len(rows))


def catalog(context: Context) -> list[Training]:
    """Return all active trainings."""
    return [row for row in context.snapshot.trainings if row.active]


def _entry(row: Training) -> Json:
    return {
        "ObjectId": row.object_id,
        "Title": row.title,
        "Type": TYPE_NAMES[row.type],
        "Duration": row.hours,
        "Provider": PROVIDERS[row.index % len(PROVIDERS)],
        "Price": {"Amount": row.price, "Currency": "EUR"},
        "Customfields": [{"Name": "Cost centre", "Value": str(row.index % 9)}] if row.index % 3 == 0 else [],
        "CreateDate": _when(row.created),
        "DeepLinkURL": f"https://portal.example/DeepLink/?module=lodetails&lo={row.object_id}",
    }


def _catalog(context: Context, call: Call) -> Response:
    if time.monotonic() < context.busy_until:
        raise ApiError(call.route.error_builder(call.request)(TOO_MANY))
    rows = [_entry(row) for row in catalog(context)]
    response = older_response(call, call.page(rows, "pageNumber", PAGE_SIZE), len(rows))
    response.seconds = SEARCH_SECONDS
    # A client that waits for the response is always late enough.
    context.busy_until = time.monotonic() + SEARCH_SECONDS * 0.9
    return response


def details(row: Training) -> Json:
    """Render a training."""
    return {
        **_entry(row),
        "Active": row.active,
        "ModifiedDate": _when(row.modified),
        "ParentObjectId": row.parent_id,
        "AvailableLanguages": ["en-US", "de-DE"],
    }


def _details(context: Context, call: Call) -> Response:
    wanted = call.given.get("objectid")
    if not wanted:
        raise call.bad_request("ObjectID", "is needed")
    for row in context.snapshot.trainings:
        if row.object_id == wanted.lower():
            return older_response(call, [{"trainingItem": details(row)}])
    raise call.not_found()


def roster(context: Context, session: Training) -> list[Json]:
    """Return the participants of a session."""
    return [
        {
            "SessionId": session.object_id,
            "UserId": ref(context.company.people[row.user_id]),
            "Status": NAMES[row.status_id],
            "Score": row.score,
            "RegistrationDate": _when(row.created),
        }
        for row in context.snapshot.transcripts
        if row.training.object_id == session.object_id and row.latest
    ]


def _roster(context: Context, call: Call) -> Response:
    wanted = call.given.get("sessionloid")
    if not wanted:
        raise call.bad_request("sessionLOID", "is needed")
    for row in context.snapshot.trainings:
        if row.object_id == wanted.lower() and row.parent_id:
            return older_response(call, roster(context, row))
    raise call.not_found()


ROUTES = (
    Route(SEARCH, "transcripts", "transcript:read", _search, (FROM, UNTIL, "pageNumber"), OLD),
    Route(CATALOG, "catalog", "training:read", _catalog, ("pageNumber",), OLD),
    Route(DETAILS, "training_details", "training:read", _details, ("ObjectID", "ActorID"), OLD),
    Route(ROSTER, "session_roster", "sessionroster:read", _roster, ("sessionLOID",), OLD),
)


def _transcripts(context: Context, first: date, last: date) -> list[Json]:
    end = to_ticks(last + timedelta(1))
    items = [row["TranscriptItem"] for row in changed(context, to_ticks(first), end)]
    return [{"_UserId": item["UserId"], **row} for item in items for row in item["Transcripts"]]


STREAMS: Streams = {
    "transcripts": _transcripts,
    "catalog": lambda context, *_: [_entry(row) for row in catalog(context)],
    "training_details": lambda context, *_: [details(row) for row in catalog(context)],
    "session_roster": lambda context, *_: [
        seat for row in catalog(context) if row.parent_id for seat in roster(context, row)
    ],
}
MODES = {"transcripts": (LO_ID,)}
