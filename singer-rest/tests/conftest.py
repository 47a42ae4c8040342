"""A tap of an invented vendor, with a local host whose responses a test defines."""

from __future__ import annotations

import json
import logging
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from singer_rest import (
    Authenticator,
    ChangedSince,
    DateWindows,
    DayWindows,
    Meaning,
    MonthlyBackfill,
    Months,
    ParsedBody,
    PerParent,
    RateLimit,
    Reply,
    Request,
    RestStream,
    RestTap,
    Slice,
    TapError,
    Token,
    common_settings,
    merge_params,
)
from singer_rest.testing import Output, ReceivedRequest, Response, capture_output, host, select_streams, shorten_waits
from singer_sdk import typing as th

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from singer_rest.testing import Host


class PetStream(RestStream):
    """A list of the pet shop: {"data": [...], "next": "cursor"}."""

    schema: ClassVar[dict[str, Any]] = th.PropertiesList(
        th.Property("id", th.StringType, required=True),
        th.Property("owner_id", th.StringType),
        th.Property("visit_id", th.StringType),
        th.Property("month", th.DateType),
        th.Property("name", th.StringType),
        th.Property("note", th.StringType),
        th.Property("price", th.NumberType),
        th.Property("updated_at", th.DateTimeType),
    ).to_dict()
    primary_keys = ("id",)
    page_size = 2

    def page_request(self, part: Slice, since: datetime | None) -> Request:
        changed = self.changed_since.filter_params(since) if since and self.changed_since else {}
        params = merge_params({"limit": str(self.page_size)}, self.params, part.params, changed)
        return Request(self.path.format(**part.path), params, self.path)

    def parse(self, body: Any, request: Request) -> ParsedBody:
        if not isinstance(body, dict) or "data" not in body:
            raise TapError(f"{self.name}: no list of pets")
        cursors = body.get("all") or [body.get("next")]
        following = [Request(request.path, (("cursor", cursor),), request.endpoint) for cursor in cursors if cursor]
        if body["data"] == [None]:
            return ParsedBody([], following, maybe_incomplete=True)
        return ParsedBody(body["data"], following, total=body.get("total"))

    def classify(self, reply: Reply, request: Request) -> Meaning | Request:
        if self.slices.parent is not None and reply.status in {403, 404}:
            return Meaning.PARENT_GONE if reply.status == 404 else Meaning.PARENT_FORBIDDEN
        return super().classify(reply, request)


class Owners(PetStream):
    """One row per owner."""

    name = "owners"
    path = "/owners"
    permission = "owners:read"
    replication_key = "updated_at"
    changed_since = ChangedSince("changed_after", strict=True)


class Pets(PetStream):
    """One row per pet."""

    name = "pets"
    path = "/owners/{owner_id}/pets"
    permission = "pets:read"
    slices = PerParent("owners", "owner_id")


class Sales(PetStream):
    """One row per sale and month."""

    name = "sales"
    path = "/sales"
    permission = "sales:read"
    primary_keys = ("id", "month")
    replication_key = "month"
    slices = Months("from", "to")


class Kinds(PetStream):
    """One row per kind."""

    name = "kinds"
    path = "/kinds"
    permission = "kinds:read"


class Quarantines(PetStream):
    """One row per quarantine."""

    name = "quarantines"
    path = "/quarantines"
    permission = "quarantines:read"
    optional = True


class Treats(PetStream):
    """One row per treat."""

    name = "treats"
    path = "/treats"
    permission = "treats:read"
    changed_since = ChangedSince("changed_after")
    bookmark_is_run_start = True
    slices = MonthlyBackfill("after", "before", years_back=0)
    optional = True


class Visits(PetStream):
    """One row per visit."""

    name = "visits"
    path = "/visits"
    permission = "visits:read"
    replication_key = "updated_at"
    changed_since = ChangedSince("changed_after")
    slices = MonthlyBackfill("after", "before", years_back=0)
    optional = True


class Guests(PetStream):
    """One row per guest of a visit."""

    name = "guests"
    path = "/visits/{visit_id}/guests"
    permission = "guests:read"
    slices = PerParent("visits", "visit_id")
    optional = True


class Walks(PetStream):
    """One row per walk."""

    name = "walks"
    path = "/walks"
    permission = "walks:read"
    replication_key = "updated_at"
    changed_since = ChangedSince("changed_after")
    optional = True

    @property
    def slices(self) -> DateWindows:
        return DateWindows("from", "to", days=self.config.get("window_days", 30))


class Strolls(PetStream):
    """One row per stroll."""

    name = "strolls"
    path = "/strolls"
    permission = "strolls:read"
    bookmark_is_run_start = True
    slices = DayWindows("after", "before", days_back=3)
    versioned = False
    optional = True


class PetAuthenticator(Authenticator):
    def __init__(self) -> None:
        super().__init__()
        self.given = 0

    def request_token(self) -> Token:
        self.given += 1
        return Token(f"token-{self.given}", 3600)


class PetTap(RestTap):
    """The tap of the pet shop."""

    name = "tap-pets"
    stream_types = (Guests, Kinds, Owners, Pets, Quarantines, Sales, Strolls, Treats, Visits, Walks)
    credentials = (("key",), ("user", "password"))
    rates: ClassVar[dict[str, RateLimit]] = {}
    config_jsonschema = th.PropertiesList(
        th.Property("key", th.StringType, secret=True),
        th.Property("user", th.StringType),
        th.Property("password", th.StringType, secret=True),
        th.Property("window_days", th.IntegerType),
        *common_settings("https://pets.example"),
    ).to_dict()

    @cached_property
    def authenticator(self) -> PetAuthenticator:
        return PetAuthenticator()


@pytest.fixture(autouse=True)
def _no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    shorten_waits(monkeypatch, PetTap)


class Shop:
    """The vendor, with owners and pets, sales by month, and kinds. A test can change its data and its responses."""

    def __init__(self) -> None:
        self.data: dict[str, list[dict[str, Any]]] = {
            "/owners": [
                {"id": str(number), "updated_at": f"2026-01-0{number}T00:00:00Z", "name": f"owner {number}"}
                for number in (1, 2, 3)
            ],
            "/kinds": [{"id": "cat"}, {"id": "dog"}, {"id": "fish"}],
            **{f"/owners/{owner}/pets": [{"id": f"{owner}{pet}"} for pet in "ab"] for owner in (1, 2, 3)},
        }
        self.refusals: dict[str, Response] = {}
        self.before: Callable[[ReceivedRequest], Response | None] = lambda received_request: None

    def respond(self, received_request: ReceivedRequest) -> Response:
        first = self.before(received_request)
        if first:
            return first
        if received_request.path in self.refusals:
            return self.refusals[received_request.path]
        if received_request.path == "/sales":
            return Response({"data": [{"id": "rent"}]})
        if received_request.path not in self.data:
            return Response({"error": "no such path"}, 404)
        rows = self.data[received_request.path]
        if since := received_request.query.get("changed_after"):
            rows = [row for row in rows if row["updated_at"] > since]
        start = int(received_request.query.get("cursor", 0))
        more = start + 2 < len(rows)
        return Response({"data": rows[start : start + 2], "next": str(start + 2) if more else None})


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def vendor(shop: Shop) -> Iterator[Host]:
    with host(shop.respond) as running:
        yield running


@pytest.fixture
def run(vendor: Host) -> Callable[..., Output]:
    """Runs the tap and returns its messages. `fails` receives the error instead of raising it."""

    def run(
        *streams: str, state: dict[str, Any] | None = None, fails: list[Exception] | None = None, **config: Any
    ) -> Output:
        tap = tap_of(vendor.url, *streams, state=state, **config)
        return capture_output(tap.sync_all, fails)

    return run


def tap_of(
    url: str, *streams: str, state: dict[str, Any] | None = None, started: datetime | None = None, **config: Any
) -> PetTap:
    settings = {"api_url": url, "key": "k", "start_date": "2026-01-01", "end_date": "2026-03-31", **config}
    tap = PetTap(config={name: value for name, value in settings.items() if value is not None}, state=state)
    if started:
        tap.started = started
    select_streams(tap, *streams)
    return tap


@pytest.fixture
def make_tap(vendor: Host) -> Callable[..., PetTap]:
    return lambda *streams, **options: tap_of(vendor.url, *streams, **options)


@pytest.fixture
def cli(
    tmp_path: Path, vendor: Host, make_tap: Callable[..., Any], capfd: pytest.CaptureFixture[str], caplog: Any
) -> Callable[..., tuple[int, str, str]]:
    """Runs the command with files of the given content. Returns exit code, output and log."""
    tap_type = type(make_tap())

    def run(*args: str, config: Any = None, **files: Any) -> tuple[int, str, str]:
        settings = {"api_url": vendor.url, "key": "k3y", "start_date": "2026-01-01"}
        files["config"] = settings | config if isinstance(config, dict) else config or settings
        options = []
        for name, content in files.items():
            path = tmp_path / f"{name}.json"
            path.write_text(content if isinstance(content, str) else json.dumps(content))
            options += [f"--{name}", str(path)]
        caplog.clear()
        root = logging.getLogger()
        handlers = list(root.handlers)
        try:
            with pytest.raises(SystemExit) as ended:
                tap_type.cli([*options, *args])
        finally:
            root.handlers[:] = handlers
            logging.captureWarnings(capture=False)
        return int(ended.value.code or 0), capfd.readouterr().out, caplog.text

    return run
