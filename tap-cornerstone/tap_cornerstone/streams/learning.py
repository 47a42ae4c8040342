"""Learning: trainings, transcripts and sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_rest import DayWindows, PageNumber, PerParent, RecordPath, Slice, Slices, iterate_parents
from typing_extensions import override

from tap_cornerstone.odata.links import find_property
from tap_cornerstone.rest import RestList, first_value_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_rest import ParentIds, Record, Window

SESSION = "session"
SESSIONS = "sessions"


class Transcripts(RestList):
    """One row per training on an active user's transcript that changed.

    An incremental run reads the days since the last run, a first one the last 30 days; one or more requests per day.
    """

    name = "transcripts"
    path = "/services/api/LOTranscript/TranscriptSearch"
    permission = "the scope transcript:read"
    primary_keys = ("UserId", "LOID", "RegistrationNumber")
    bookmark_is_run_start = True
    slices = DayWindows("ModificationStartDate", "ModificationEndDate", days_back=30)
    versioned = False  # the API stops returning users who left, but their transcripts are not deleted
    pagination = PageNumber("pageNumber", size=50, size_param=None)

    @override
    def rows_in_item(self, item: Record) -> list[Any]:
        # Changes are nested in each user.
        user_item = find_property(item, "transcriptitem")
        if not isinstance(user_item, dict):
            return [user_item]
        found = find_property(user_item, "transcripts")
        user = {name: value for name, value in user_item.items() if name.lower() != "transcripts"}
        items = found if isinstance(found, list) else [] if found is None or found == {} else [found]
        return [self._merge_row(user, row) if isinstance(row, dict) else row for row in items]

    @staticmethod
    def _merge_row(user: Record, row: Record) -> Record:
        own = {f"User{name}" if name in row else name: value for name, value in user.items()}
        # A repeated training has several rows, if the portal has a registration number. 0 is one.
        number = first_value_of(row, "registrationnumber")
        return {**own, **row, "RegistrationNumber": 1 if number in {None, ""} else number}


class Catalog(RestList):
    """One row per training that can be found.

    One request at a time.
    """

    name = "catalog"
    path = "/services/api/Catalog/GlobalSearch"
    permission = "the scope training:read"
    primary_keys = ("ObjectId",)
    prefetches = False  # one request at a time
    pagination = PageNumber("pageNumber", size=50, size_param=None)


class TrainingDetails(RestList):
    """One row per training, with its sessions if it has any."""

    name = "training_details"
    path = "/services/api/LO/GetDetails"
    permission = "the scope training:read"
    primary_keys = ("ObjectId",)
    slices = PerParent("catalog", "ObjectId", param="ObjectID")
    by_id = RecordPath("/services/api/LO/GetDetails?ObjectID={id}")
    optional = True  # one request per training

    @override
    def rows_in_item(self, item: Record) -> list[Any]:
        return [find_property(item, "trainingitem")]


class Sessions(Slices):
    """One slice per session found in the details of trainings, which are sessions or list some."""

    parent = "training_details"
    key = "session"
    ids_param = "sessionLOID"

    @override
    def parent_fields(self, parent: Record) -> Record:
        return {SESSIONS: list(sessions_of(parent))}

    @override
    def plan(self, window: Window, parents: ParentIds | None) -> Iterator[Slice | None]:
        # Trainings come in any order and may spell an id differently, which is a part of the key: it has to be the same
        # in each run.
        spellings: dict[str, str] = {}
        error: Exception | None = None
        try:
            for known in iterate_parents(self.parent, parents):
                if known is None:
                    yield None
                    continue
                for session_id in known[1][SESSIONS]:
                    name = session_id.lower()
                    spellings[name] = min(session_id, spellings.get(name, session_id))
        except Exception as raised:  # noqa: BLE001 - raised once the known sessions have been read
            error = raised
        for session_id in spellings.values():
            yield Slice(params={self.ids_param: session_id}, columns={"SessionId": session_id})
        if error:
            raise error


def sessions_of(training: Record) -> Iterator[str]:
    """Ids of the sessions in a training's details."""
    kinds = (str(find_property(training, name)).lower() for name in ("type", "trainingtype", "lotype"))
    own = first_value_of(training, "objectid")
    if own is not None and any(kind.endswith(SESSION) for kind in kinds):
        yield str(own)
    items = find_property(training, "sessions")
    if isinstance(items, dict):
        items = next(iter(items.values()), None)
    for session in items if isinstance(items, list) else []:
        session_id = (
            first_value_of(session, "sessionloid", "loid", "objectid", "id") if isinstance(session, dict) else session
        )
        if isinstance(session_id, (str, int)):
            yield str(session_id)


class SessionRoster(RestList):
    """One row per person on the roster of a session.

    Also needs a request per training.
    """

    name = "session_roster"
    path = "/services/api/SessionRoster/GetSessionRoster"
    permission = "the scope sessionroster:read"
    primary_keys = ("SessionId", "UserId")
    slices = Sessions()
    optional = True  # one request per session, and one per training
