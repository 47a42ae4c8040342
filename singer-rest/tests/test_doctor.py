"""`--doctor`: one request per stream, a verdict on each, and no value of a record."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from singer_rest.diagnose import connection
from singer_rest.diagnose.doctor import check_tap
from singer_rest.errors import TapError
from singer_rest.http.proxies import proxy_for
from singer_rest.testing import Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from singer_rest.testing import Host

STATE = {"bookmarks": {"owners": {"replication_key": "updated_at", "replication_key_value": "2026-01-02T00:00:00Z"}}}


@pytest.fixture
def report_on(make_tap: Callable[..., Any]) -> Callable[..., dict[str, Any]]:
    """Returns the report on some streams, with what was found about each by its name."""

    def report_on(*streams: str, state: dict[str, Any] | None = None, **config: Any) -> dict[str, Any]:
        report = check_tap(make_tap(*streams, **config), state or {})
        return {**report, "by_name": {finding["stream"]: finding for finding in report["streams"]}}

    return report_on


@pytest.fixture
def kinds_type(make_tap: Callable[..., Any]) -> Any:
    """The stream's class."""
    return next(stream for stream in make_tap().stream_types if stream.name == "kinds")


def test_doctor_sends_one_small_request_per_stream(report_on: Callable[..., Any], vendor: Host) -> None:
    report = report_on("kinds", "owners", "pets", "sales")
    assert report["verdicts"] == {"readable": 4}
    assert sorted(vendor.paths().values()) == [1, 1, 1, 1]
    assert vendor.queries("/kinds") == [{"limit": "1"}]
    assert vendor.queries("/owners") == [{"limit": "2"}]  # its ids are needed, and its page size is 2
    assert vendor.queries("/owners/1/pets") == [{"limit": "1"}]
    assert vendor.queries("/sales") == [{"limit": "1", "from": "2026-03-01", "to": "2026-03-31"}]


def test_no_value_of_a_record_is_in_the_report(report_on: Callable[..., Any], cli: Callable[..., Any]) -> None:
    assert "owner 1" not in json.dumps(report_on("owners", "kinds"))
    _, output, log = cli("--doctor")
    assert "owner 1" not in output + log


def test_missing_permission_is_listed_once_for_all_its_streams(report_on: Callable[..., Any], shop: Any) -> None:
    shop.refusals = {"/owners": Response({}, 403), "/kinds": Response({}, 402), "/sales": Response({}, 410)}
    report = report_on("kinds", "owners", "pets", "sales")
    verdicts = {name: finding["verdict"] for name, finding in report["by_name"].items()}
    assert verdicts == {
        "kinds": "not_licensed",
        "owners": "no_permission",
        "pets": "no_permission",
        "sales": "switched_off",
    }
    assert [item["for"] for item in report["advice"]] == [
        {"owners:read": ["owners", "pets"]},
        {"kinds:read": ["kinds"]},
    ]
    assert not report["is_usable"]


def test_children_are_requested_for_another_parent_if_the_first_is_forbidden(
    report_on: Callable[..., Any], shop: Any, vendor: Host
) -> None:
    shop.refusals = {"/owners/1/pets": Response({}, 403)}
    assert report_on("pets")["by_name"]["pets"]["verdict"] == "readable"
    shop.refusals["/owners/2/pets"] = Response({}, 404)
    assert report_on("pets")["by_name"]["pets"]["verdict"] == "no_permission"
    assert "/owners/3/pets" not in vendor.paths()


def test_failing_stream_does_not_hide_the_others(report_on: Callable[..., Any], shop: Any, vendor: Host) -> None:
    shop.refusals = {"/kinds": Response({}, 500), "/sales": Response({"unexpected": 1})}
    report = report_on("kinds", "owners", "sales")
    assert report["verdicts"] == {"failed": 2, "readable": 1}
    assert "status 500" in report["by_name"]["kinds"]["detail"]
    assert report["by_name"]["sales"]["detail"] == "no list of pets"
    assert vendor.paths()["/kinds"] == 3
    assert report["is_usable"]


def test_row_count_is_known_from_the_total_or_from_a_single_page(report_on: Callable[..., Any], shop: Any) -> None:
    shop.refusals = {"/kinds": Response({"data": [{"id": "cat"}], "next": "1", "total": 3})}
    report = report_on("kinds", "owners", "sales")["by_name"]
    assert {name: finding["rows"] for name, finding in report.items()} == {"kinds": 3, "owners": None, "sales": None}


def test_total_that_only_counts_the_page_is_not_a_row_count(report_on: Callable[..., Any], shop: Any) -> None:
    shop.refusals = {"/kinds": Response({"data": [{"id": "cat"}], "next": "1", "total": 1})}
    assert report_on("kinds")["by_name"]["kinds"]["rows"] is None


def test_bookmark_and_its_age_come_from_the_state(report_on: Callable[..., Any], vendor: Host) -> None:
    owners = report_on("owners", "kinds", state=STATE)["by_name"]["owners"]
    assert (owners["replication"], owners["incremental_by"]) == ("incremental", "updated_at")
    assert owners["bookmark"] == "2026-01-02T00:00:00Z"
    assert owners["bookmark_age_seconds"] > 86_400
    assert "changed_after" not in vendor.queries("/owners")[0] or vendor.queries("/owners")[0]["changed_after"] < "2026"


@pytest.mark.parametrize("hidden", [("absent", ["name", "price"]), ("null", ["name", "note", "price"])])
def test_columns_hidden_by_permissions_are_named(
    report_on: Callable[..., Any], shop: Any, hidden: tuple[str, list[str]], kinds_type: Any, monkeypatch: Any
) -> None:
    kind, expected = hidden
    for name, value in {"hidden_columns": kind, "hidden_columns_advice": "Tick them.", "sample_size": 5}.items():
        monkeypatch.setattr(kinds_type, name, value)
    row = {"note": None, "updated_at": "2026-01-01T00:00:00Z", "owner_id": "1", "visit_id": "1", "month": "2026-01-01"}
    shop.refusals = {"/kinds": Response({"data": [{"id": str(number), **row} for number in range(5)]})}
    report = report_on("kinds")
    assert report["by_name"]["kinds"]["empty_columns"] == expected
    assert report["advice"] == [
        {"advice": "These columns are empty in all records that were read. Tick them.", "for": {"kinds": expected}}
    ]


def test_disabled_streams_are_listed_with_their_setting(report_on: Callable[..., Any]) -> None:
    assert report_on("kinds")["off"]["quarantines"] == "optional_streams"


def test_doctor_uses_up_no_quota(
    report_on: Callable[..., Any], vendor: Host, kinds_type: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(kinds_type, "used_in_connection_test", False)
    report = report_on("kinds", "owners")
    assert report["by_name"]["kinds"]["verdict"] == "not_checked"
    assert "/kinds" not in vendor.paths()


def test_credentials_that_every_stream_rejects_are_reported_as_wrong(report_on: Callable[..., Any], shop: Any) -> None:
    shop.before = lambda request: Response({}, 401)
    report = report_on("kinds", "owners")
    assert report["connection"]["credentials"]["status"] == "failed"
    assert not report["is_usable"]


@pytest.mark.parametrize(
    ("header", "status", "words"),
    [
        ("Mon, 30 Nov 2026 10:00:09 GMT", "ok", "difference 9 s"),
        ("Mon, 30 Nov 2026 10:10:00 GMT", "warning", "10 minutes behind the host's"),
        ("Mon, 30 Nov 2026 07:00:00 GMT", "warning", "3 hours ahead of the host's"),
        ("", "unknown", "does not say"),
    ],
)
def test_clock_is_compared_with_the_clock_of_the_host(header: str, status: str, words: str) -> None:
    received = datetime(2026, 11, 30, 10, tzinfo=timezone.utc)
    tap: Any = SimpleNamespace(transport=SimpleNamespace(server_time=(header, received)), started=received)
    check = connection._check_clock(tap)
    assert check.status == status
    assert words in check.detail


def test_unreachable_host_fails_alone(report_on: Callable[..., Any]) -> None:
    report = report_on("kinds", api_url="http://127.0.0.1:9")
    assert report["connection"]["host"]["status"] == "failed"
    assert report["connection"]["host"]["detail"].startswith("127.0.0.1:9 does not respond")
    assert report["by_name"]["kinds"]["verdict"] == "failed"


def test_proxy_password_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://jane:s3cret@proxy.example:3128")
    monkeypatch.setenv("no_proxy", "")
    assert proxy_for("https://pets.example") == ("proxy.example:3128", "https_proxy")


@pytest.mark.parametrize(("format_", "begins"), [([], "tap-pets"), (["--format", "json"], "{")])
def test_command_writes_text_or_json_and_exits_with_1_if_nothing_works(
    cli: Callable[..., Any], shop: Any, format_: list[str], begins: str
) -> None:
    code, output, _ = cli("--doctor", *format_)
    assert code == 0
    assert output.startswith(begins)
    shop.before = lambda request: Response({}, 403)
    code, output, _ = cli("--doctor", *format_)
    assert code == 1
    assert "owners:read" in output


def test_state_in_the_format_of_meltano_state_get_is_accepted(cli: Callable[..., Any]) -> None:
    code, output, _ = cli("--doctor", state={"singer_state": STATE})
    assert code == 0
    assert "bookmark 2026-01-02T00:00:00Z" in output


def test_state_of_another_tap_raises_an_error(cli: Callable[..., Any]) -> None:
    code, output, log = cli("--doctor", state={"bookmarks": {"horses": {}}})
    assert (code, output) == (1, "")
    assert "The state holds no stream of tap-pets" in log


def test_failed_discovery_is_part_of_the_report(report_on: Callable[..., Any], make_tap: Any, monkeypatch: Any) -> None:
    def refuse(self: object) -> None:
        raise TapError("The metadata of the portal's views cannot be read.")

    monkeypatch.setattr(type(make_tap()), "selected_streams", refuse)
    report = report_on("kinds")
    assert report["connection"]["catalog"] == {
        "status": "failed",
        "detail": "The metadata of the portal's views cannot be read.",
    }
    assert not report["is_usable"]
