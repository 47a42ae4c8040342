"""Single records read again with `--only`: requests, the version of records, deletions, the command line."""

from __future__ import annotations

import json
from collections import Counter
from functools import cached_property
from hashlib import md5
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
from singer_rest.singer.command import DossierOptions
from singer_rest.state.backfill import Backfill
from singer_rest.state.replication import Replication
from singer_rest.testing import (
    Host,
    Output,
    ReceivedRequest,
    Response,
    capture_output,
    host,
    select_streams,
    shorten_waits,
)
from singer_sdk import typing as th
from singer_sdk.exceptions import ConfigValidationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

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


class Kennel:
    """The state of the kennel.

    Attributes:
        gone: The ids that it does not know.
        hidden: How many more requests it does not know an id for, by id.
        is_listed: Whether its lists have any animal.
    """

    def __init__(self) -> None:
        self.gone: set[str] = set()
        self.hidden: dict[str, int] = {}
        self.is_listed = True

    def respond(self, request: ReceivedRequest) -> Response:
        kind, *rest = request.path.split("/")[1:]
        if kind == "cats" and rest:
            record = {"id": rest[0], "customHeaders": {"X": "s3cr3t"}}
            return Response({"data": record}) if self._knows(rest[0]) else Response({"error": "no cat"}, 404)
        if rest:
            return Response({"data": [{"id": f"{rest[0]}-{rest[1]}"}]})
        if "ids" not in request.query_text:
            return Response({"data": [{"id": "0"}] if self.is_listed else []})
        given = [part.partition("=")[2] for part in request.query_text.split("&") if part.startswith("ids")]
        known = [number for number in given if self._knows(number)]
        secret = {"updated_at": "2020-01-01T00:00:00Z", "token": "s3cr3t"}
        return Response({"data": [{"id": number, **secret} for number in known]})

    def _knows(self, number: str) -> bool:
        self.hidden[number] = self.hidden.get(number, 0) - 1
        return number not in self.gone and self.hidden[number] < 0


@pytest.fixture(autouse=True)
def _no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    shorten_waits(monkeypatch, KennelTap)


@pytest.fixture
def animals() -> Kennel:
    return Kennel()


@pytest.fixture
def kennel(animals: Kennel) -> Iterator[Host]:
    with host(animals.respond) as running:
        yield running


@pytest.fixture
def read_again(kennel: Host) -> Callable[..., Output]:
    """Reads the given records again."""

    def read_again(
        only: str | None, *streams: str, state: dict[str, Any] | None = None, catalog: Any = None, **config: Any
    ) -> Output:
        settings = {"api_url": kennel.url, "key": "k", "start_date": "2026-01-01", "only": only, **config}
        tap = KennelTap(config=settings, state=state, catalog=catalog)
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
    read_again: Callable[..., Output], kennel: Host, animals: Kennel, caplog: pytest.LogCaptureFixture
) -> None:
    animals.gone = {"gone"}
    output = read_again("cats=a,gone;  dogs=1", "cats", "dogs")
    assert output.ids() == {"cats": ["a"], "dogs": ["1"]}
    assert b"s3cr3t" not in output.raw
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


def mark_of(output: Output, stream: str) -> list[dict[str, Any]]:
    return [record for record in output.records(stream) if "_sdc_deleted_at" in record]


@pytest.mark.parametrize("stream", ["dogs", "cats"])
def test_ids_that_are_not_found_in_passing_are_requested_again(
    read_again: Callable[..., Output], animals: Kennel, caplog: pytest.LogCaptureFixture, stream: str
) -> None:
    animals.hidden = {"1": 1, "2": 2}
    animals.gone = {"3"}
    output = read_again(f"{stream}=1,2,3,4", stream)
    assert sorted(output.ids()[stream]) == ["1", "2", "4"]
    assert [*output.messages_of("SCHEMA")[0]["schema"]["properties"]][-2:] == ["updated_at", "_extra"]
    assert f"{stream}: 1 of 4 ids given with `only` were not found, even when requested again" in caplog.text
    assert animals.hidden["3"] == -3  # three requests


@pytest.mark.parametrize("stream", ["dogs", "cats"])
def test_a_confirmed_deletion_is_marked_after_the_records(
    read_again: Callable[..., Output], animals: Kennel, tmp_path: Path, stream: str
) -> None:
    animals.gone, animals.hidden = {"3", "4"}, {"5": 1}
    report = tmp_path / "report.json"
    state = {"bookmarks": {stream: {"version": VERSION}}}
    output = read_again(
        f"{stream}=1,4", stream, state=state, confirm_deleted=f"{stream}=2,3,5", only_report=str(report)
    )
    *records, mark = output.messages_of("RECORD")
    assert sorted(message["record"]["id"] for message in records) == ["1", "2", "5"]
    assert all("_sdc_deleted_at" not in message["record"] for message in records)
    assert mark["record"].keys() == {"id", "_sdc_deleted_at"}
    assert (mark["record"]["id"], mark["version"]) == ("3", VERSION)
    (schema,) = output.messages_of("SCHEMA")
    assert schema["schema"]["properties"]["_sdc_deleted_at"]["format"] == "date-time"
    assert json.loads(report.read_text()) == {
        stream: {"found": ["2", "5", "1"], "deleted": ["3"], "missing": ["4"], "unconfirmed": []}
    }
    assert report.stat().st_mode & 0o777 == 0o600
    assert [*tmp_path.iterdir()] == [report]


@pytest.mark.parametrize("stream", ["dogs", "cats"])
@pytest.mark.parametrize("is_listed", [False, True])
def test_a_deletion_is_only_confirmed_if_the_credential_can_read_the_stream(
    *,
    read_again: Callable[..., Output],
    animals: Kennel,
    kennel: Host,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    stream: str,
    is_listed: bool,
) -> None:
    animals.gone, animals.is_listed = {"1"}, is_listed
    report = tmp_path / "report.json"
    output = read_again(None, stream, confirm_deleted=f"{stream}=1", only_report=str(report))
    assert output.ids().get(stream, []) == ["1"] * is_listed
    assert len(mark_of(output, stream)) == is_listed
    assert kennel.queries(f"/{stream}")[-1] == {"limit": "1"}
    assert json.loads(report.read_text())[stream]["unconfirmed"] == ["1"] * (not is_listed)
    unproved = "1 of 1 ids given with `confirm_deleted` were not found, but their rows are not marked as deleted"
    assert (f"{stream}: {unproved}" in caplog.text) is not is_listed


def test_a_mark_is_not_lost_to_an_older_catalog_or_the_selection(
    read_again: Callable[..., Output], animals: Kennel
) -> None:
    animals.gone = {"1"}
    catalog = KennelTap(config={"key": "k"}).catalog_dict
    (dogs,) = [entry for entry in catalog["streams"] if entry["stream"] == "dogs"]
    dogs["metadata"].append({"breadcrumb": ["properties", "updated_at"], "metadata": {"selected": False}})
    output = read_again(None, "dogs", confirm_deleted="dogs=1", catalog={"streams": [dogs]})
    assert [mark["id"] for mark in mark_of(output, "dogs")] == ["1"]
    assert "_sdc_deleted_at" in output.messages_of("SCHEMA")[0]["schema"]["properties"]


@pytest.mark.parametrize(
    ("maps", "expected"),
    [
        ({"id": "md5(id)"}, [md5(b"1", usedforsecurity=False).hexdigest()]),
        ({"__alias__": "hounds"}, ["1"]),
        ({"id": "id", "__else__": None}, []),
        ({"year": "updated_at[:4]"}, []),
        ({"__filter__": "updated_at > '2020'"}, []),
    ],
)
def test_stream_maps_change_a_mark_or_withhold_it(
    read_again: Callable[..., Output], animals: Kennel, tmp_path: Path, maps: dict[str, Any], expected: list[str]
) -> None:
    animals.gone = {"1"}
    report = tmp_path / "report.json"
    settings = {"stream_maps": {"dogs": maps}, "only_report": str(report)}
    output = read_again(None, "dogs", confirm_deleted="dogs=1", **settings)
    records = [message["record"] for message in output.messages_of("RECORD")]
    assert [record["id"] for record in records] == expected
    assert all(record["_sdc_deleted_at"] for record in records)
    assert json.loads(report.read_text())["dogs"]["unconfirmed"] == ["1"] * (not expected)


def test_an_agreement_and_other_settings_allow_marks(
    read_again: Callable[..., Output], animals: Kennel, kennel: Host, tmp_path: Path
) -> None:
    animals.gone = {"1"}
    settings = {"key": "k", "api_url": kennel.url}
    agreed = tmp_path / "agreed.yaml"
    KennelTap(config=settings).make_dossier(DossierOptions([agreed], is_offline=True))
    output = read_again(None, "dogs", confirm_deleted="dogs=1", privacy_agreement=str(agreed))
    assert len(mark_of(output, "dogs")) == 1
    with pytest.raises(ConfigValidationError) as error:
        KennelTap(config={**settings, "slice": "1/2", "confirm_deleted": "dogs=1"})
    assert error.value.errors == ["Set `slice` or `confirm_deleted`, not both."]


def test_marks_are_written_to_batch_files(read_again: Callable[..., Output], animals: Kennel, tmp_path: Path) -> None:
    animals.gone = {"2"}
    config = {
        "encoding": {"format": "jsonl", "compression": "none"},
        "storage": {"root": tmp_path.as_uri()},
        "batch_size": 10,
    }
    read_again("dogs=1", "dogs", confirm_deleted="dogs=2", batch_config=config)
    (file,) = tmp_path.iterdir()
    record, mark = map(json.loads, file.read_text().splitlines())
    assert record["id"] == "1"
    assert mark.keys() == {"id", "_sdc_deleted_at"}


def test_command_line_option_is_validated_before_any_request(
    cli: Callable[..., Any], vendor: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, log = cli("--only", "owners=1", "--only", "kinds=2")
    assert (code, out) == (1, "")
    assert "`only`: owners cannot be read by id. Run without `only` to read it." in log
    assert cli("--only", "owners=1", "--plan")[:2] == (2, "")
    code, out, log = cli("--confirm-deleted", "owners=1")
    assert (code, out) == (1, "")
    assert "`confirm_deleted`: owners cannot be read by id. Run without `confirm_deleted` to read it." in log
    assert cli("--confirm-deleted", "owners=1", "--plan")[:2] == (2, "")
    assert "Set `confirm_deleted` to streams and ids such as" in cli("--confirm-deleted", "owners")[2]
    monkeypatch.setenv("TAP_PETS_ONLY", "kinds=1")
    assert cli("--config", "ENV", "--only", "owners=1")[:2] == (2, "")
    assert vendor.requests == []
