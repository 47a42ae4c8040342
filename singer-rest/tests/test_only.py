"""Single records read again with `--only`: requests, the version of records, the command line."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import pendulum
import pytest
from singer_rest import (
    ApiKey,
    Authenticator,
    ChangedSince,
    IdsParam,
    PerParent,
    RecordPath,
    RestStream,
    RestTap,
    Slice,
    common_settings,
)
from singer_rest.state.backfill import Backfill
from singer_rest.state.replication import Replication
from singer_rest.testing import Host, Output, ReceivedRequest, Response, capture_output, host, select_streams
from singer_sdk import typing as th

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

VERSION = 1_700_000_000_000
BOOKMARK = {"replication_key": "updated_at", "replication_key_value": "2026-02-01T00:00:00Z"}


class KennelStream(RestStream):
    """A list of the kennel."""

    schema: ClassVar = th.PropertiesList(
        th.Property("id", th.StringType, required=True),
        th.Property("owner_id", th.StringType),
        th.Property("visit_id", th.StringType),
        th.Property("updated_at", th.DateTimeType),
    ).to_dict()
    primary_keys = ("id",)
    permission = "kennel:read"


class Dogs(KennelStream):
    """One row per dog."""

    name = "dogs"
    path = "/dogs"
    replication_key = "updated_at"
    changed_since = ChangedSince("since")
    page_size = 100
    by_id = IdsParam("ids[]", size=2)


class Bones(KennelStream):
    """One row per bone of a dog."""

    name = "bones"
    path = "/dogs/{owner_id}/bones"
    slices = PerParent("dogs", "owner_id")


class Bites(KennelStream):
    """One row per bite at a bone."""

    name = "bites"
    path = "/bones/{visit_id}/bites"
    slices = PerParent("bones", "visit_id")


class Cats(KennelStream):
    """One row per cat."""

    name = "cats"
    path = "/cats"
    page_size = 100
    by_id = RecordPath("/cats/{id}")


class KennelTap(RestTap):
    """The tap of a kennel."""

    name = "tap-kennel"
    stream_types: ClassVar = (Bites, Bones, Cats, Dogs)
    credentials = (("key",),)
    config_jsonschema = th.PropertiesList(
        th.Property("key", th.StringType, secret=True), *common_settings("https://kennel.example")
    ).to_dict()

    @cached_property
    def authenticator(self) -> Authenticator:
        return ApiKey(self.config["key"])


def respond(request: ReceivedRequest) -> Response:
    kind, *rest = request.path.split("/")[1:]
    if kind == "cats":
        return Response({"error": "no such cat"}, 404) if rest == ["gone"] else Response({"data": {"id": rest[0]}})
    if rest:
        return Response({"data": [{"id": f"{rest[0]}-{rest[1]}"}]})
    given = [part.partition("=")[2] for part in request.query_text.split("&") if part.startswith("ids")]
    return Response({"data": [{"id": number, "updated_at": "2020-01-01T00:00:00Z"} for number in given]})


@pytest.fixture
def kennel() -> Iterator[Host]:
    with host(respond) as running:
        yield running


@pytest.fixture
def read_again(kennel: Host) -> Callable[..., Output]:
    """Reads the given records again."""

    def read_again(only: str, *streams: str, state: dict[str, Any] | None = None) -> Output:
        settings = {"api_url": kennel.url, "key": "k", "start_date": "2026-01-01", "only": only}
        tap = KennelTap(config=settings, state=state)
        select_streams(tap, *streams)
        return capture_output(tap.sync_all)

    return read_again


def test_ids_are_requested_together_and_bring_their_children(read_again: Callable[..., Output], kennel: Host) -> None:
    output = read_again("dogs=1,2,3,2")
    assert {name: sorted(ids) for name, ids in output.ids().items()} == {
        "dogs": ["1", "2", "3"],
        "bones": ["1-bones", "2-bones", "3-bones"],
        "bites": ["1-bones-bites", "2-bones-bites", "3-bones-bites"],
    }
    assert kennel.paths() == Counter(
        ["/dogs", "/dogs"]
        + [f"/dogs/{number}/bones" for number in (1, 2, 3)]
        + [f"/bones/{number}-bones/bites" for number in (1, 2, 3)]
    )
    assert all("since" not in query for query in kennel.queries("/dogs"))


def test_single_records_are_requested_without_paging(
    read_again: Callable[..., Output], kennel: Host, caplog: pytest.LogCaptureFixture
) -> None:
    output = read_again("cats=a,gone;  dogs=1", "cats", "dogs")
    assert output.ids() == {"cats": ["a"], "dogs": ["1"]}
    assert kennel.queries("/cats/a") == [{}]
    assert "cats: 1 of 2 ids given with `only` were not found" in caplog.text


@pytest.mark.parametrize(
    ("state", "version"),
    [
        ({}, None),
        ({"version": VERSION, **BOOKMARK}, VERSION),
        ({"version": VERSION, "full_read_due": True}, VERSION),
    ],
)
def test_records_have_the_version_of_the_table_and_the_state_stays(
    read_again: Callable[..., Output], state: dict[str, Any], version: int | None
) -> None:
    given = {"bookmarks": {"dogs": dict(state)}}
    output = read_again("dogs=1", "dogs", state=given)
    assert given == {"bookmarks": {"dogs": state}}
    (record,) = output.messages_of("RECORD")
    assert record.get("version") == version
    assert [message["type"] for message in output.messages] == ["SCHEMA", "RECORD"]


def test_a_record_read_again_during_an_interrupted_read_has_its_version(read_again: Callable[..., Output]) -> None:
    state: dict[str, Any] = {"version": VERSION}
    interrupted = Replication(
        "dogs", state, key=None, start_date=None, lookback=pendulum.duration(), now=pendulum.now("UTC")
    )
    backfill = Backfill("dogs", state, interrupted, {})
    backfill.begin()
    backfill.mark_finished(Slice(name="2026-01"))
    (record,) = read_again("dogs=1", "dogs", state={"bookmarks": {"dogs": state}}).messages_of("RECORD")
    assert interrupted.version is not None
    assert record["version"] == interrupted.version > VERSION


def test_command_line_option_is_validated_before_any_request(
    cli: Callable[..., Any], vendor: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, log = cli("--only", "owners=1", "--only", "kinds=2")
    assert (code, out) == (1, "")
    assert "`only`: owners cannot be read by id. Run without `only` to read it." in log
    assert cli("--only", "owners=1", "--plan")[:2] == (2, "")
    monkeypatch.setenv("TAP_PETS_ONLY", "kinds=1")
    assert cli("--config", "ENV", "--only", "owners=1")[:2] == (2, "")
    assert vendor.requests == []
