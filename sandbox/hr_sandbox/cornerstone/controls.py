"""The controls of Cornerstone, below `/_control/cornerstone`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hr_sandbox.cornerstone.bulk import TRANSCRIPTS, USERS
from hr_sandbox.cornerstone.odata import DELETED_ROW_FORMATS
from hr_sandbox.cornerstone.query import MAX_PAGE_SIZE
from hr_sandbox.cornerstone.tables import EXPORTER, TOUCHED, load_entity_sets
from hr_sandbox.cornerstone.timestamps import parse_timestamp
from hr_sandbox.http.arguments import (
    ControlError,
    check_choice,
    control,
    take_any,
    take_count,
    take_flag,
    take_seconds,
    take_text,
    with_default,
)

if TYPE_CHECKING:
    from hr_sandbox.cornerstone.access import Tokens
    from hr_sandbox.cornerstone.metadata import Metadata
    from hr_sandbox.cornerstone.odata import OData
    from hr_sandbox.cornerstone.response_faults import ResponseFaults
    from hr_sandbox.cornerstone.rest import Rest
    from hr_sandbox.cornerstone.store import Key
    from hr_sandbox.cornerstone.tables import Column, EntitySet
    from hr_sandbox.cornerstone.throttle import Throttle
    from hr_sandbox.http.messages import Json

MAX_USERS, MAX_TRANSCRIPTS = 100_000, 20_000_000
MAX_SECONDS = 400 * 86_400
PER_USER = 200  # the default number of transcripts per user
NUMBERS = frozenset({"Edm.Int32", "Edm.Int64", "Edm.Byte"})
SECONDS_AGO = with_default(take_count(MAX_SECONDS), 0)


class CornerstoneControls:
    """Changes rows, and how they are served."""

    def __init__(
        self,
        *,
        odata: OData,
        rest: Rest,
        tokens: Tokens,
        throttle: Throttle,
        failures: ResponseFaults,
        metadata: Metadata,
    ) -> None:
        self._odata, self._store, self._rest, self._tokens = odata, odata.store, rest, tokens
        self._throttle, self._failures, self._metadata = throttle, failures, metadata
        self._streams = frozenset((*load_entity_sets(), *rest.streams))

    @control("edit", stream=take_text, id=take_any, field=take_text, value=take_any, seconds_ago=SECONDS_AGO)
    def edit(self, stream: str, key: Any, field: str, value: Any, seconds_ago: int) -> Json:  # noqa: ANN401
        """Changes one column of a row. Its timestamp becomes the present, and it moves to the end."""
        table, row_key = self._find_row(stream, key)
        column = self._store.portal.list_columns(table).get(field)
        if column is None or field in {*table.key, TOUCHED}:
            raise ControlError(f"There is no field {field} that can be changed.")
        self._store.edit_row(table.name, row_key, {field: _parse_value(column, value)}, ago=seconds_ago)
        return _report_change("updated", table, key)

    @control("delete", stream=take_text, id=take_any)
    def delete(self, stream: str, key: Any) -> Json:  # noqa: ANN401  what JSON holds
        """Deletes a row from one table only."""
        table, row_key = self._find_row(stream, key)
        self._store.delete_row(table.name, row_key)
        return _report_change("deleted", table, key)

    @control("touch", stream=take_text, id=take_any, seconds_ago=SECONDS_AGO)
    def touch(self, stream: str, key: Any, seconds_ago: int) -> Json:  # noqa: ANN401  what JSON holds
        """Updates a row's timestamp and moves it to the end, without another change."""
        table, row_key = self._find_row(stream, key)
        self._store.edit_row(table.name, row_key, {}, ago=seconds_ago)
        return _report_change("touched", table, key)

    @control(
        "bulk",
        transcripts=with_default(take_count(MAX_TRANSCRIPTS)),
        users=with_default(take_count(MAX_USERS)),
    )
    def set_bulk(self, transcripts: int | None, users: int | None) -> Json:
        """Sets how many users and transcripts are generated."""
        bulk = self._store.bulk
        transcripts = bulk.transcripts if transcripts is None else transcripts
        if users is None:
            users = max(bulk.users, min(MAX_USERS, -(-transcripts // PER_USER)))
        if transcripts and not users:
            raise ControlError("Transcripts need users.")
        bulk.set_row_counts(users, transcripts)
        return {"users": users, "transcripts": transcripts, "tables": sorted(USERS | TRANSCRIPTS)}

    @control("clock", seconds=take_seconds)
    def move_clock(self, seconds: float | None) -> Json:
        """Moves the clock of tokens, links and limits forward."""
        self._store.clock.move_forward(seconds or 0)
        return {"now": self._store.clock.now().isoformat()}

    @control("custom-field", kind=take_text, label=take_text, type=with_default(take_any, default="text"))
    def add_custom_field(self, kind: str, label: str, type_: object) -> Json:
        """Adds a custom field."""
        return self._store.portal.add_field(kind, label, str(type_))

    @control("delta-shape", shape=take_text)
    def set_delta_shape(self, shape: str) -> Json:
        """Sets how deleted rows look in changes."""
        self._odata.shape = check_choice("shape", shape, DELETED_ROW_FORMATS)
        return {"shape": shape}

    @control("etag", on=take_flag)
    def set_etag(self, *, on: bool) -> Json:
        """Sets whether the metadata has an ETag."""
        self._metadata.etags = on
        return {"on": on}

    @control("expire-links", kind=take_text)
    def expire_links(self, kind: str) -> Json:
        """Expires all links to next pages or to changes."""
        self._odata.links.expire_links(check_choice("kind", kind, self._odata.links.lives))
        return {"expired": kind}

    @control("expires-in", form=take_text)
    def set_expires_in(self, form: str) -> Json:
        """Sets how token responses state the lifetime."""
        return self._tokens.set_expiry(form)

    @control("failure", open_ended=True)
    def add_failure(self, members: Json) -> Json:
        """Makes responses fail."""
        return {"failure": self._failures.add_checked(members, self._streams)}

    @control("clear-failures")
    def clear_failures(self) -> Json:
        """Removes all pending faults."""
        return {"cleared": self._failures.clear_faults()}

    @control("int64", texts=take_flag)
    def set_int64(self, *, texts: bool) -> Json:
        """Sets whether 64-bit integers are written as texts."""
        self._odata.renderer.long_texts = texts
        return {"texts": texts}

    @control("link-life", kind=take_text, seconds=take_seconds)
    def set_link_life(self, kind: str, seconds: float | None) -> Json:
        """Sets how long links are valid."""
        self._odata.links.lives[check_choice("kind", kind, self._odata.links.lives)] = seconds
        return {"kind": kind, "seconds": seconds}

    @control("reset-downloads")
    def reset_downloads(self) -> Json:
        """Resets the number of downloads of import reports."""
        downloads = self._rest.context.downloads
        count = sum(downloads.values())
        downloads.clear()
        return {"forgotten": count}

    @control(
        "short-pages",
        stream=take_text,
        rows=with_default(take_count(MAX_PAGE_SIZE), MAX_PAGE_SIZE),
        empty=with_default(take_flag, default=False),
    )
    def set_short_pages(self, stream: str, rows: int, *, empty: bool) -> Json:
        """Serves pages with fewer rows than requested, optionally with an empty first page."""
        table = _find_table(stream)
        if not rows:
            raise ControlError("The argument rows must be at least 1.")
        self._odata.short[table.name] = (rows, empty)
        return {"stream": table.name, "rows": rows, "empty": empty}

    @control(
        "throttling",
        on=with_default(take_flag),
        stream=with_default(take_text),
        per_minute=with_default(take_count(MAX_TRANSCRIPTS)),
    )
    def set_throttling(self, *, on: bool | None, stream: str | None, per_minute: int | None) -> Json:
        """Switches rate limits on or off, or sets the limit of one stream."""
        throttle = self._throttle
        if on is not None:
            throttle.on = on
        if stream is None and per_minute is not None:
            raise ControlError("Unknown arguments: per_minute.")
        if stream is not None:
            if stream not in self._streams:
                raise ControlError(f"There is no stream {stream}.")
            throttle.limits[stream] = per_minute or 0
        throttle.clear()
        return {"on": throttle.on, "limits": throttle.limits}

    @control("tracking", stream=take_text, tracked=take_flag)
    def set_tracking(self, stream: str, *, tracked: bool) -> Json:
        """Sets whether an object tracks changes."""
        table = _find_table(stream)
        if table.service != EXPORTER:
            raise ControlError("Views cannot track changes.")
        self._store.portal.set_tracked(table.name, tracked=tracked)
        return {"tracked": sorted(self._store.portal.tracked)}

    def _find_row(self, stream: str, text: object) -> tuple[EntitySet, Key]:
        """Returns the table and the key of a row. The text has the parts of the key, separated by commas."""
        table, parts = _find_table(stream), str(text).split(",")
        rows = self._store.list_rows(table.name)
        found = next((row["_key"] for row in rows if [str(part) for part in row["_key"]] == parts), None)
        if found is None:
            raise ControlError(f"The stream {table.name} has no record {text}.")
        return table, found


def _find_table(name: str) -> EntitySet:
    if name not in load_entity_sets():
        raise ControlError(f"There is no view or object {name}.")
    return load_entity_sets()[name]


def _parse_value(column: Column, value: Any) -> Any:  # noqa: ANN401  what JSON holds
    kinds: tuple[type, ...] = {
        "Edm.Boolean": (bool,),
        "Edm.Decimal": (int, float),
        "Edm.Double": (int, float),
        **dict.fromkeys(NUMBERS, (int,)),
    }.get(column.type, (str,))
    wrong = not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds)
    if value is not None and (
        wrong or (column.type == "Edm.DateTimeOffset" and parse_timestamp(value, bare_days=True) is None)
    ):
        raise ControlError(f"The field {column.name} cannot be {value!r}.")
    return value


def _report_change(action: str, table: EntitySet, key: object) -> Json:
    return {"changed": [{"action": action, "kind": table.name, "id": str(key)}]}
