"""The controls of Cornerstone, below `/_control/cornerstone`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hr_sandbox.cornerstone.bulk import TRANSCRIPTS, USERS
from hr_sandbox.cornerstone.odata import SHAPES
from hr_sandbox.cornerstone.query import MAX_PAGE_SIZE
from hr_sandbox.cornerstone.tables import EXPORTER, TOUCHED, entity_sets
from hr_sandbox.cornerstone.timestamps import parse_timestamp
from hr_sandbox.http.arguments import (
    ControlError,
    check_empty,
    take_choice,
    take_count,
    take_flag,
    take_seconds,
    take_text,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from hr_sandbox.cornerstone.auth import Tokens
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
ON = "on"


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
        """Control these parts of the vendor."""
        self._odata = odata
        self._store = odata.store
        self._rest = rest
        self._tokens = tokens
        self._throttle = throttle
        self._failures = failures
        self._metadata = metadata
        self._streams = frozenset((*entity_sets(), *rest.streams))

    def routes(self) -> dict[str, Callable[[Json], Json]]:
        """Return the controls by name."""
        return {
            "edit": self.edit,
            "delete": self.delete,
            "touch": self.touch,
            "bulk": self.bulk,
            "clock": self.clock,
            "custom-field": self.custom_field,
            "delta-shape": self.delta_shape,
            "etag": self.etag,
            "expire-links": self.expire_links,
            "expires-in": self.expires_in,
            "failure": self.failure,
            "clear-failures": self.clear_failures,
            "int64": self.int64,
            "link-life": self.link_life,
            "reset-downloads": self.reset_downloads,
            "short-pages": self.short_pages,
            "throttling": self.throttling,
            "tracking": self.tracking,
        }

    def edit(self, body: Json) -> Json:
        """Change one column of a row. Its timestamp becomes the present, and it moves to the end."""
        table, key, text = self._row(body)
        name, value = take_text(body, "field"), body.pop("value", None)
        ago = take_count(body, "seconds_ago", 0, MAX_SECONDS)
        check_empty(body)
        column = self._store.portal.columns(table).get(name)
        if column is None or name in {*table.key, TOUCHED}:
            raise ControlError(f"There is no field {name} that can be changed.")
        self._store.edit(table.name, key, {name: _parsed(column, value)}, ago=ago)
        return _changed("updated", table, text)

    def delete(self, body: Json) -> Json:
        """Delete a row from one table only."""
        table, key, text = self._row(body)
        check_empty(body)
        self._store.delete(table.name, key)
        return _changed("deleted", table, text)

    def touch(self, body: Json) -> Json:
        """Update a row's timestamp and move it to the end, without another change."""
        table, key, text = self._row(body)
        ago = take_count(body, "seconds_ago", 0, MAX_SECONDS)
        check_empty(body)
        self._store.edit(table.name, key, {}, ago=ago)
        return _changed("touched", table, text)

    def bulk(self, body: Json) -> Json:
        """Set how many users and transcripts are generated."""
        bulk = self._store.bulk
        transcripts = take_count(body, "transcripts", bulk.transcripts, MAX_TRANSCRIPTS)
        least = min(MAX_USERS, -(-transcripts // PER_USER))
        users = take_count(body, "users", max(bulk.users, least), MAX_USERS)
        check_empty(body)
        if transcripts and not users:
            raise ControlError("Transcripts need users.")
        bulk.set(users, transcripts)
        return {"users": users, "transcripts": transcripts, "tables": sorted(USERS | TRANSCRIPTS)}

    def clock(self, body: Json) -> Json:
        """Move the clock of tokens, links and limits forward."""
        seconds = take_seconds(body, "seconds")
        check_empty(body)
        self._store.clock.forward(seconds or 0)
        return {"now": self._store.clock.now().isoformat()}

    def custom_field(self, body: Json) -> Json:
        """Add a custom field."""
        kind, label = take_text(body, "kind"), take_text(body, "label")
        type_ = str(body.pop("type", "text"))
        check_empty(body)
        return self._store.portal.add(kind, label, type_)

    def delta_shape(self, body: Json) -> Json:
        """Set how deleted rows look in changes."""
        shape = take_choice(body, "shape", SHAPES)
        check_empty(body)
        self._odata.shape = shape
        return {"shape": shape}

    def etag(self, body: Json) -> Json:
        """Set whether the metadata has an ETag."""
        self._metadata.etags = take_flag(body, ON)
        check_empty(body)
        return {ON: self._metadata.etags}

    def expire_links(self, body: Json) -> Json:
        """Expire all links to next pages or to changes."""
        kind = self._kind(body)
        check_empty(body)
        self._odata.links.expire(kind)
        return {"expired": kind}

    def expires_in(self, body: Json) -> Json:
        """Set how token responses state the lifetime."""
        form = take_text(body, "form")
        check_empty(body)
        return self._tokens.set_expiry(form)

    def failure(self, body: Json) -> Json:
        """Make responses fail."""
        return {"failure": self._failures.add_checked(body, self._streams)}

    def clear_failures(self, body: Json) -> Json:
        """Remove all pending faults."""
        check_empty(body)
        return {"cleared": self._failures.clear()}

    def int64(self, body: Json) -> Json:
        """Set whether 64-bit integers are written as texts."""
        self._odata.renderer.long_texts = take_flag(body, "texts")
        check_empty(body)
        return {"texts": self._odata.renderer.long_texts}

    def link_life(self, body: Json) -> Json:
        """Set how long links are valid."""
        kind, seconds = self._kind(body), take_seconds(body, "seconds")
        check_empty(body)
        self._odata.links.lives[kind] = seconds
        return {"kind": kind, "seconds": seconds}

    def reset_downloads(self, body: Json) -> Json:
        """Reset the number of downloads of import reports."""
        check_empty(body)
        downloads = self._rest.context.downloads
        count = sum(downloads.values())
        downloads.clear()
        return {"forgotten": count}

    def short_pages(self, body: Json) -> Json:
        """Serve pages with fewer rows than requested, optionally with an empty first page."""
        table = self._table(body)
        rows = take_count(body, "rows", MAX_PAGE_SIZE, MAX_PAGE_SIZE)
        empty = take_flag(body, "empty", default=False)
        check_empty(body)
        if not rows:
            raise ControlError("The argument rows must be at least 1.")
        self._odata.short[table.name] = (rows, empty)
        return {"stream": table.name, "rows": rows, "empty": empty}

    def throttling(self, body: Json) -> Json:
        """Switch rate limits on or off, or set the limit of one stream."""
        throttle = self._throttle
        if ON in body:
            throttle.on = take_flag(body, ON)
        if "stream" in body:
            stream = take_text(body, "stream")
            if stream not in self._streams:
                raise ControlError(f"There is no stream {stream}.")
            throttle.limits[stream] = take_count(body, "per_minute", 0, MAX_TRANSCRIPTS)
        check_empty(body)
        throttle.clear()
        return {ON: throttle.on, "limits": throttle.limits}

    def tracking(self, body: Json) -> Json:
        """Set whether an object tracks changes."""
        table, tracked = self._table(body), take_flag(body, "tracked")
        check_empty(body)
        if table.service != EXPORTER:
            raise ControlError("Views cannot track changes.")
        self._store.portal.track(table.name, tracked=tracked)
        return {"tracked": sorted(self._store.portal.tracked)}

    def _kind(self, body: Json) -> str:
        return take_choice(body, "kind", self._odata.links.lives)

    @staticmethod
    def _table(body: Json) -> EntitySet:
        name = take_text(body, "stream")
        if name not in entity_sets():
            raise ControlError(f"There is no view or object {name}.")
        return entity_sets()[name]

    def _row(self, body: Json) -> tuple[EntitySet, Key, str]:
        """Return the table, the key, and the key as it was given: its parts separated by commas."""
        table, text = self._table(body), body.pop("id", None)
        parts = str(text).split(",")
        rows = self._store.rows(table.name)
        found = next((row["_key"] for row in rows if [str(part) for part in row["_key"]] == parts), None)
        if found is None:
            raise ControlError(f"The stream {table.name} has no record {text}.")
        return table, found, str(text)


def _parsed(column: Column, value: Any) -> Any:  # noqa: ANN401  what JSON holds
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


def _changed(action: str, table: EntitySet, text: str) -> Json:
    return {"changed": [{"action": action, "kind": table.name, "id": text}]}
