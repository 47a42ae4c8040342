"""Transcripts by modification date, the catalog, training details, session rosters, and skills."""

from __future__ import annotations

import time
from datetime import timedelta
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING

from hr_sandbox.cornerstone.errors import NOT_FOUND, TOO_MANY, format_time
from hr_sandbox.cornerstone.rest.route import OLD, Context, Handler, Route, Streams, make_older_response
from hr_sandbox.cornerstone.rows.common import make_login, make_user_id
from hr_sandbox.cornerstone.rows.learning import NAMES, TYPE_NAMES
from hr_sandbox.cornerstone.snapshot import TOPICS
from hr_sandbox.cornerstone.timestamps import DAY, parse_timestamp, to_datetime, to_ticks
from hr_sandbox.stable_random import stable_choice, stable_number

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


def _format_optional_timestamp(ticks: int | None) -> str | None:
    return None if ticks is None else format_time(to_datetime(ticks))


def render_transcript(row: Transcript, named: str = LOID) -> Json:
    """Renders a transcript, with the training's id under the name in `named`."""
    training = row.training
    is_session = training.parent_id is not None
    return {
        named: training.object_id,
        "Title": training.title,
        "Type": TYPE_NAMES[training.type],
        "LoType": training.type,
        "Status": NAMES[row.status_id],
        "RegistrationDate": _format_optional_timestamp(row.created),
        "StartDate": _format_optional_timestamp(row.started),
        "CompletionDate": _format_optional_timestamp(row.completed),
        "ModificationDate": _format_optional_timestamp(row.modified),
        "Score": row.score,
        "IsRequired": row.assignment_id is not None,
        "TotalTime": f"{stable_number('total time', row.user_id, training.index) % 300 // 60:02}:00",
        "TrainingHours": training.hours,
        "ProviderName": PROVIDERS[training.index % len(PROVIDERS)],
        "LoProviderId": training.index % len(PROVIDERS) or None,
        "LaunchUrl": f"https://portal.example/Evaluations/EvalLaunch.aspx?loid={training.object_id}",
        "Subjects": [TOPIC_OF_ALL] if training.index % 4 == 0 else [],
        "Parts": [{"PartName": "1", "StartDateTime": _format_optional_timestamp(training.created)}]
        if is_session
        else None,
        "StartDateTime": _format_optional_timestamp(training.created) if is_session else None,
        "EndDateTime": _format_optional_timestamp(training.created + HOURS * HOUR) if is_session else None,
    }


def list_changed_transcripts(context: Context, first: int, end: int) -> list[Json]:
    """Returns the transcripts of active users that changed in a range of timestamps (end exclusive)."""
    named = LO_ID if context.modes.get("transcripts") == LO_ID else LOID
    rows = [row for row in context.snapshot.transcripts if row.latest and first <= row.modified < end]
    found: list[Json] = []
    for number, taken in groupby(rows, key=lambda row: row.user_id):
        if context.snapshot.is_active(number):
            person = context.company.people[number]
            item = {
                "UserId": make_user_id(person),
                "UserName": make_login(person),
                "FirstName": person.first_name,
                "LastName": person.last_name,
                "Transcripts": [render_transcript(row, named) for row in taken],
            }
            found.append({"TranscriptItem": item})
    return found


def _search_transcripts(call: Call) -> Response:
    context = call.context
    given = {name: call.given[name.lower()] for name in (FROM, UNTIL) if name.lower() in call.given}
    now = to_ticks(context.store.clock.now())
    first, end = now - DAY, now
    if given:
        for name in (FROM, UNTIL):
            if name not in given:
                raise call.make_bad_request(name, "is needed with the other one")
        bounds = [parse_timestamp(text if text.endswith("Z") else f"{text}Z") for text in given.values()]
        if None in bounds:
            raise call.make_bad_request(FROM, "must be a date such as 2024-01-31T00:00:00")
        first, end = (bound or 0 for bound in bounds)
    if not 0 <= end - first <= DAY:
        raise call.make_bad_request(UNTIL, "the window is 24 hours at most")
    rows = list_changed_transcripts(context, first, end)
    return make_older_response(call, call.slice_page(rows, "pageNumber", PAGE_SIZE), len(rows))


def list_active_trainings(context: Context) -> list[Training]:
    """Returns all active trainings."""
    return [row for row in context.snapshot.trainings if row.active]


def _render_entry(row: Training) -> Json:
    return {
        "ObjectId": row.object_id,
        "Title": row.title,
        "Type": TYPE_NAMES[row.type],
        "Duration": row.hours,
        "Provider": PROVIDERS[row.index % len(PROVIDERS)],
        "Price": {"Amount": row.price, "Currency": "EUR"},
        "Customfields": [{"Name": "Cost centre", "Value": str(row.index % 9)}] if row.index % 3 == 0 else [],
        "CreateDate": _format_optional_timestamp(row.created),
        "DeepLinkURL": f"https://portal.example/DeepLink/?module=lodetails&lo={row.object_id}",
    }


def _search_catalog(call: Call) -> Response:
    context = call.context
    if time.monotonic() < context.busy_until:
        raise call.make_error(TOO_MANY)
    rows = [_render_entry(row) for row in list_active_trainings(context)]
    response = make_older_response(call, call.slice_page(rows, "pageNumber", PAGE_SIZE), len(rows))
    response.seconds = SEARCH_SECONDS
    # A client that waits for the response is always late enough.
    context.busy_until = time.monotonic() + SEARCH_SECONDS * 0.9
    return response


def render_details(row: Training) -> Json:
    """Renders a training."""
    return {
        **_render_entry(row),
        "Active": row.active,
        "ModifiedDate": _format_optional_timestamp(row.modified),
        "ParentObjectId": row.parent_id,
        "AvailableLanguages": ["en-US", "de-DE"],
    }


def list_participants(context: Context, session: Training) -> list[Json]:
    """Returns the participants of a session."""
    return [
        {
            "SessionId": session.object_id,
            "UserId": make_user_id(context.company.people[row.user_id]),
            "Status": NAMES[row.status_id],
            "Score": row.score,
            "RegistrationDate": _format_optional_timestamp(row.created),
        }
        for row in context.snapshot.transcripts
        if row.training.object_id == session.object_id and row.latest
    ]


def _find_training(call: Call, name: str) -> Training:
    """Returns the training with the id in a required parameter. Raises ApiError (404) if there is none."""
    wanted = call.given.get(name.lower())
    if not wanted:
        raise call.make_bad_request(name, "is needed")
    for row in call.context.snapshot.trainings:
        if row.object_id == wanted.lower():
            return row
    raise call.make_error(NOT_FOUND)


def _get_details(call: Call) -> Response:
    return make_older_response(call, [{"trainingItem": render_details(_find_training(call, "ObjectID"))}])


def _get_roster(call: Call) -> Response:
    session = _find_training(call, "sessionLOID")
    if not session.parent_id:
        raise call.make_error(NOT_FOUND)
    return make_older_response(call, list_participants(call.context, session))


def _list_transcripts(context: Context, first: date, last: date) -> list[Json]:
    end = to_ticks(last + timedelta(1))
    items = [row["TranscriptItem"] for row in list_changed_transcripts(context, to_ticks(first), end)]
    return [{"_UserId": item["UserId"], **row} for item in items for row in item["Transcripts"]]


SKILL_PATH, SKILL_RATE, MAX_PAGE_SIZE = "/services/api/x/skills/v1", 100, 100
FIRST_SKILL, FIRST_CATEGORY = 3_000, 40
CATEGORIES: list[Json] = [
    {"id": FIRST_CATEGORY + index, "name": name, "parentId": parent and FIRST_CATEGORY + parent}
    for index, (name, parent) in enumerate(
        (("Alle", None), ("Technik", None), ("Optik", 1), ("Sprachen", None), ("日本語", 3), ("Führung", None))
    )
]
SKILLS: list[Json] = [
    {
        "id": FIRST_SKILL + index,
        "name": f"{TOPICS[index % len(TOPICS)]} {index // len(TOPICS) + 1}",
        "description": None if index % 3 else "",
        "source": "custom" if index % 4 else "library",
        "active": index % 17 != 0,
    }
    for index in range(130)
]


def find_categories(skill: Json) -> list[Json]:
    """Returns the categories of a skill."""
    return [stable_choice(CATEGORIES, "category", skill["id"])]


def list_held_skills(context: Context, person_id: int) -> list[Json]:
    """Returns the skills of a person."""
    seed = context.company.seed
    many = stable_number(seed, "skills", person_id) % 5
    chosen = sorted({stable_number(seed, "skill", person_id, place) % len(SKILLS) for place in range(many)})
    return [
        {
            "employeeId": person_id,
            "skillId": SKILLS[index]["id"],
            "name": SKILLS[index]["name"],
            "level": 1 + stable_number(person_id, index) % 5,
        }
        for index in chosen
    ]


def _list_pages(rows: list[Json]) -> Handler:
    return lambda call: call.slice_page(rows, "page", PAGE_SIZE, MAX_PAGE_SIZE)


def _list_subcategories(call: Call) -> list[Json]:
    number = call.find_row(CATEGORIES)["id"]
    return [row for row in CATEGORIES if row["parentId"] == number]


_declare_list = partial(Route, scope="skill:read", parameters=("page", "pageSize"), per_minute=SKILL_RATE)
_declare = partial(Route, scope="skill:read", per_minute=SKILL_RATE)
ROUTES = (
    Route(SEARCH, "transcripts", "transcript:read", _search_transcripts, (FROM, UNTIL, "pageNumber"), OLD),
    Route(CATALOG, "catalog", "training:read", _search_catalog, ("pageNumber",), OLD),
    Route(DETAILS, "training_details", "training:read", _get_details, ("ObjectID", "ActorID"), OLD),
    Route(ROSTER, "session_roster", "sessionroster:read", _get_roster, ("sessionLOID",), OLD),
    _declare_list(f"{SKILL_PATH}/skills", "skills", handler=_list_pages(SKILLS)),
    _declare(f"{SKILL_PATH}/skills/{{id}}", "skills", handler=lambda call: call.find_row(SKILLS)),
    _declare(
        f"{SKILL_PATH}/skills/{{id}}/categories",
        "skill_category_links",
        handler=lambda call: find_categories(call.find_row(SKILLS)),
    ),
    _declare_list(f"{SKILL_PATH}/skill-categories", "skill_categories", handler=_list_pages(CATEGORIES)),
    _declare(
        f"{SKILL_PATH}/skill-categories/{{id}}", "skill_categories", handler=lambda call: call.find_row(CATEGORIES)
    ),
    _declare(f"{SKILL_PATH}/skill-categories/{{id}}/children", "skill_categories", handler=_list_subcategories),
    _declare(
        f"{SKILL_PATH}/employees/{{id}}/skills",
        "employee_skills",
        handler=lambda call: list_held_skills(call.context, call.find_person().id),
    ),
)
STREAMS: Streams = {
    "transcripts": _list_transcripts,
    "catalog": lambda context, *_: [_render_entry(row) for row in list_active_trainings(context)],
    "training_details": lambda context, *_: [render_details(row) for row in list_active_trainings(context)],
    "session_roster": lambda context, *_: [
        seat for row in list_active_trainings(context) if row.parent_id for seat in list_participants(context, row)
    ],
    "skills": lambda *_: SKILLS,
    "skill_categories": lambda *_: CATEGORIES,
    "skill_category_links": lambda *_: [
        {"_skill_id": skill["id"], **row} for skill in SKILLS for row in find_categories(skill)
    ],
    "employee_skills": lambda context, *_: [
        row for person in context.snapshot.people for row in list_held_skills(context, person.id)
    ],
}
MODES = {"transcripts": (LO_ID,)}
