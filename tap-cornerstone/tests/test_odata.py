"""Tests of pages, links, malformed bodies and tracked changes, with scripted responses."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from singer_rest import Slice, TapError
from singer_rest.errors import RetryableError
from singer_rest.testing import Host, ReceivedRequest, Response
from tap_cornerstone.odata import links, stream
from tap_cornerstone.tap import TapCornerstone

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from singer_rest.testing import Output

    Start = Callable[[Callable[[ReceivedRequest], Response]], Host]

OBJECTS = "/services/api/x/dataexporter/api/objects"
VIEWS = "/services/api/x/odata/api/views"
PATH = f"{OBJECTS}/things_core"
EDMX = """<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"><edmx:DataServices>
<Schema Namespace="Csod" xmlns="http://docs.oasis-open.org/odata/ns/edm">
<EntityType Name="things_core">{tracked}<Key><PropertyRef Name="user_id"/><PropertyRef Name="code"/></Key>
<Property Name="user_id" Type="Edm.Int32" Nullable="false"/><Property Name="code" Type="Edm.String" Nullable="false"/>
<Property Name="seats" Type="Edm.Int64"/><Property Name="_last_touched_dt_utc" Type="Edm.DateTimeOffset"/></EntityType>
<EntityType Name="vw_rpt_keyless"><Property Name="a" Type="Edm.String"/>
<Property Name="_last_touched_dt_utc" Type="Edm.DateTimeOffset"/></EntityType>
<EntityType Name="vw_rpt_untouched"><Key><PropertyRef Name="id"/></Key><Property Name="id" Type="Edm.Int32"/>
<Property Name="modified" Type="Edm.DateTimeOffset"/></EntityType>
</Schema></edmx:DataServices></edmx:Edmx>"""
TRACKED = '<Annotation Term="ExtendedMetadata.ObjectSupportsChangeTracking" Bool="true"/>'
TOKEN = Response({"access_token": "ZWRnZQ:s3cr3t", "expires_in": 3600, "token_type": "Bearer", "scope": "all"})
TOUCHES = "_last_touched_dt_utc"
TOUCHED = "2026-04-12T00:44:31.5666666+00:00"


def make_row(number: int, **more: Any) -> dict[str, Any]:
    return {"user_id": number, "code": "AS  ", "_last_touched_dt_utc": TOUCHED, **more}


def make_page(*rows: Any, **members: Any) -> Response:
    return Response(
        {"@odata.context": "x", "value": list(rows), **{f"@odata.{name}": value for name, value in members.items()}}
    )


def serve_sets(
    respond: Callable[[ReceivedRequest], Response], *, tracked: bool = False
) -> Callable[[ReceivedRequest], Response]:
    """Returns a portal with three entity sets. The given function returns their rows."""
    document = EDMX.format(tracked=TRACKED if tracked else "").encode()
    return lambda received_request: (
        Response(document) if received_request.path.endswith("$metadata") else respond(received_request)
    )


@pytest.fixture
def read_things(run: Callable[..., Output], portal: Start) -> Callable[..., tuple[Output, Host]]:
    """Run the tap over `things_core` with the given responses."""
    hosts: list[Host] = []

    def read_things(
        respond: Callable[[ReceivedRequest], Response], *, tracked: bool = False, **config: Any
    ) -> tuple[Output, Host]:
        hosts.extend([portal(respond)] if not hosts else [])  # one portal for all runs of a test
        (vendor,) = hosts
        served = serve_sets(respond, tracked=tracked)
        vendor.respond = lambda received_request: (
            TOKEN if received_request.method == "POST" else served(received_request)
        )
        vendor.requests.clear()
        address = vendor.url.replace("127.0.0.1", config.pop("api_host", "127.0.0.1"))
        config = {"objects": ["*"], "views": [], "metadata_cache_hours": 0, **config}
        return run(address, "things_core", **config), vendor

    return read_things


def prefer_headers(vendor: Host) -> list[str]:
    return [received_request.headers["Prefer"] for received_request in vendor.requests if received_request.path == PATH]


@pytest.mark.parametrize("member", ["nextLink", "nextlink", "NEXTLINK"])
@pytest.mark.parametrize("style", ["absolute", "relative", "rooted", "bare", "elsewhere"])
def test_links_are_followed_unchanged_with_the_page_size_in_each_request(
    read_things: Any, member: str, style: str
) -> None:
    def respond(received_request: ReceivedRequest) -> Response:
        if "skiptoken" in received_request.query_text:
            return make_page(make_row(2))
        starts = {
            "absolute": f"http://{received_request.headers['Host']}{PATH}",
            "relative": "things_core",
            "rooted": PATH,
            "bare": "",
            "elsewhere": f"https://acme.cornerstone.example/prefix{PATH}",
        }
        return make_page(make_row(1), **{member: f"{starts[style]}?$skiptoken=a%2Bb'c"})

    output, vendor = read_things(respond)
    assert [record["user_id"] for record in output.records("things_core")] == [1, 2]
    assert [received_request.query_text for received_request in vendor.requests if received_request.path == PATH] == [
        "",
        "$skiptoken=a%2Bb'c",
    ]
    assert prefer_headers(vendor) == ["odata.maxpagesize=1000", "odata.maxpagesize=10000"]


def test_short_or_empty_page_is_not_the_last(read_things: Any) -> None:
    def respond(received_request: ReceivedRequest) -> Response:
        number = int(received_request.query_text.rpartition("=")[2] or 0)
        rows = [make_row(number)] if number != 1 else []
        return make_page(*rows, **({"nextLink": f"things_core?$skiptoken={number + 1}"} if number < 3 else {}))

    output, _ = read_things(respond)
    assert [record["user_id"] for record in output.records("things_core")] == [0, 2, 3]


@pytest.mark.parametrize("link", ["https://evil.example/steal", "//evil.example/x", 7])
def test_disallowed_link_fails_the_stream(read_things: Any, link: Any, caplog: Any) -> None:
    fails: list[Exception] = []
    output, _ = read_things(lambda _: make_page(make_row(1), nextLink=link), fails=fails)
    assert fails
    assert "things_core: a link" in caplog.text
    assert "evil" not in caplog.text
    assert output.messages_of("ACTIVATE_VERSION") == []


BROKEN = {
    "error in the array": b'{"value":[%s,{"error":{"code":"","message":"An error has occurred."}}',
    "html in the array": b'{"value":[%s<!DOCTYPE html><html><body>Runtime Error</body></html>',
    "error alone": b'{"error":{"code":"","message":"x"}}',
    "error as a row": b'{"value":[%s,{"error":{"code":""}}]}',
    "cut": b'{"value":[%s,{"user_id":2,',
    "html": b"<html><body>Sign in</body></html>",
}


@pytest.mark.parametrize("form", BROKEN)
def test_truncated_page_is_requested_at_half_the_size_and_emits_nothing(read_things: Any, form: str) -> None:
    body = BROKEN[form].replace(b"%s", json.dumps(make_row(666)).encode())

    def respond(received_request: ReceivedRequest) -> Response:
        if not received_request.query_text:
            return make_page(make_row(1), nextLink="things_core?$skiptoken=2")
        return (
            Response(body)
            if int(received_request.headers["Prefer"].rpartition("=")[2]) > 2500
            else make_page(make_row(2))
        )

    output, vendor = read_things(respond)
    assert [record["user_id"] for record in output.records("things_core")] == [1, 2]
    sizes = [preferred.rpartition("=")[2] for preferred in prefer_headers(vendor)]
    assert sizes == ["1000", "10000", "5000", "2500"]
    assert len(output.messages_of("ACTIVATE_VERSION")) == 1


def test_pages_that_time_out_shrink_faster_within_the_same_total_time(url: str) -> None:
    credentials = {"client_id": "sandbox-client", "client_secret": "sandbox-secret"}
    tap = TapCornerstone(config={"api_url": url, **credentials, "objects": ["users_core"], "views": []})
    users = tap.streams["users_core"]
    assert isinstance(users, stream.ODataStream)
    request = replace(users.page_request(Slice(), None), expected_rows=10_000)
    late = RetryableError("no response in time", slow=True)
    late.took = 300.0
    waited = []
    while others := users.split_request(request, late):
        (request,) = others
        waited.append((request.expected_rows, request.unanswered_seconds))
    assert waited == [(1250, 300.0), (250, 600.0)]


def test_page_sizes_recover_after_some_good_pages(read_things: Any) -> None:
    def respond(received_request: ReceivedRequest) -> Response:
        number = int(received_request.query_text.rpartition("=")[2] or 0)
        if number == 1 and received_request.headers["Prefer"].endswith("=10000"):
            return Response(b'{"value":[')
        return make_page(
            make_row(number), **({"nextLink": f"things_core?$skiptoken={number + 1}"} if number < 25 else {})
        )

    output, vendor = read_things(respond)
    assert len(output.records("things_core")) == 26
    sizes = [preferred.rpartition("=")[2] for preferred in prefer_headers(vendor)]
    assert sizes[:3] == ["1000", "10000", "5000"]
    assert sizes[-1] == "10000"


def test_page_truncated_at_every_size_fails_the_stream_and_keeps_the_bookmark(read_things: Any, caplog: Any) -> None:
    fails: list[Exception] = []
    output, vendor = read_things(lambda _: Response(b'{"value":['), fails=fails)
    assert "1 of 1 streams failed" in str(fails[0])
    assert prefer_headers(vendor)[-1] == "odata.maxpagesize=250"
    assert output.state == {"bookmarks": {"things_core": {"full_read_due": True, "portal": vendor.url}}}
    assert "gave no usable response in" in caplog.text


def test_redirect_to_a_login_page_is_not_followed(read_things: Any, caplog: Any) -> None:
    fails: list[Exception] = []
    login = Response(b"<html>", 302, {"Location": "/phnx/login.aspx"})
    _, vendor = read_things(lambda _: login, fails=fails)
    assert "it leads to a web page, not to the API" in caplog.text
    assert "/phnx/login.aspx" not in vendor.paths()


@pytest.mark.parametrize("status", [401, 403, 404])
def test_missing_scope_skips_the_view_by_name(
    run: Any, portal: Start, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    vendor = portal(
        serve_sets(
            lambda received_request: Response({}, status) if received_request.path == PATH else make_page({"id": 1})
        )
    )
    output = run(vendor.url, "things_core", "vw_rpt_untouched", objects=["*_core"], views=["vw_*"])
    assert set(output.counts()) == {"vw_rpt_untouched"}
    assert "things_core: the credential cannot read this stream; it needs the scope obj_things_core:read" in caplog.text


def test_values_keep_trailing_spaces_and_get_their_types(read_things: Any) -> None:
    output, _ = read_things(lambda _: make_page(make_row(1, seats="9007199254740993", field_01360="new")))
    (record,) = output.records("things_core")
    assert record == {
        "user_id": 1,
        "code": "AS  ",
        "seats": 9007199254740993,
        "_last_touched_dt_utc": "2026-04-12T00:44:31.566666Z",
        "_extra": {"field_01360": "new"},
    }


TYPED = """<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"><edmx:DataServices>
<Schema Namespace="Csod" xmlns="http://docs.oasis-open.org/odata/ns/edm"><EntityType Name="things_core">
<Key><PropertyRef Name="id"/></Key><Property Name="id" Type="Edm.Guid"/><Property Name="v" Type="{}"/></EntityType>
</Schema></edmx:DataServices></edmx:Edmx>"""
FORMS: list[tuple[str, Any, Any]] = [
    ("Edm.Double", "1.5E-7", 1.5e-7),
    ("Edm.Double", "+2.5e3", 2500),
    ("Edm.Double", "INF", None),
    ("Edm.Single", "NaN", None),
    ("Edm.Decimal", "12.50", 12.5),
    ("Edm.Int64", "9007199254740993", 9007199254740993),
    ("Edm.Int32", "-7", -7),
    ("Edm.Int32", 7.0, 7),
    ("Edm.Int32", "DONE", None),
    ("Edm.Boolean", 1, True),
    ("Edm.Boolean", "false", False),
    ("Edm.Date", "2024-02-29", "2024-02-29"),
    ("Edm.DateTimeOffset", "2019-03-14T17:07:16.0033333Z", "2019-03-14T17:07:16.003333Z"),
    ("Edm.DateTimeOffset", "2026-04-12t00:44:31.5+02:00", "2026-04-11T22:44:31.500000Z"),
    ("Edm.DateTimeOffset", "someday", None),
    ("Edm.Duration", "P1DT2H", "P1DT2H"),
    ("Edm.TimeOfDay", "07:30:00.0000000", "07:30:00.0000000"),
    ("Edm.Guid", "0F8FAD5B-D9CB-469F-A165-70867728950E", "0F8FAD5B-D9CB-469F-A165-70867728950E"),
    ("Edm.Guid", 5, "5"),
    ("Edm.String", "AS  ", "AS  "),
    ("Collection(Edm.String)", ["a", 1], ["a", 1]),
    ("Collection(Edm.String)", "a", None),
    ("Csod.Unknown", {"a": 1}, {"a": 1}),
    ("Edm.GeographyPoint", "anything", "anything"),
]


@pytest.mark.parametrize(("kind", "value", "found"), FORMS)
def test_values_are_converted_to_their_types_or_kept_in_extra(
    run: Any, portal: Start, kind: str, value: Any, found: Any
) -> None:
    guid = "0F8FAD5B-D9CB-469F-A165-70867728950E"

    def respond(received_request: ReceivedRequest) -> Response:
        return (
            Response(TYPED.format(kind).encode())
            if received_request.path.endswith("$metadata")
            else make_page({"id": guid, "v": value})
        )

    output = run(portal(respond).url, "things_core", objects=["*"], views=[])
    (record,) = output.records("things_core")
    assert (record["id"], record["v"], record.get("_extra")) == (
        guid,
        found,
        None if found is not None else {"v": value},
    )


@pytest.mark.parametrize("kind", ["Edm.Date", "Edm.DateTimeOffset", "Edm.Int64", "Edm.Double", "Edm.Boolean"])
def test_empty_text_becomes_null(run: Any, portal: Start, kind: str) -> None:
    document = Response(TYPED.format(kind).encode())
    vendor = portal(
        lambda received_request: (
            document if received_request.path.endswith("$metadata") else make_page({"id": "a", "v": ""})
        )
    )
    assert run(vendor.url, "things_core", objects=["*"], views=[]).records("things_core") == [{"id": "a", "v": None}]


def test_changes_are_requested_with_a_lookback(read_things: Any) -> None:
    first, _ = read_things(lambda _: make_page(make_row(1)))
    second, vendor = read_things(lambda _: make_page(make_row(1)), state=first.state, lookback_minutes=44)
    (query,) = [received_request.query for received_request in vendor.requests if received_request.path == PATH]
    assert query == {"$filter": "_last_touched_dt_utc ge 2026-04-12T00:00:31Z"}
    assert "+" not in next(
        received_request.query_text for received_request in vendor.requests if received_request.path == PATH
    )
    assert second.messages_of("ACTIVATE_VERSION") == []
    assert second.state["bookmarks"]["things_core"]["replication_key_value"] == "2026-04-12T00:44:31.566666Z"


def test_views_without_key_or_timestamp_are_read_fully_unless_a_column_is_set(run: Any, portal: Start) -> None:
    vendor = portal(serve_sets(lambda received_request: make_page({"id": 1, "modified": TOUCHED, "a": "x"})))
    views = ("vw_rpt_keyless", "vw_rpt_untouched")
    keys = {"vw_rpt_untouched": "modified", "vw_rpt_keyless": "_last_touched_dt_utc"}
    for config, asked_with in (({}, []), ({"replication_keys": keys}, [f"{VIEWS}/vw_rpt_untouched"])):
        first = run(vendor.url, *views, objects=[], views=["*"], **config)
        vendor.requests.clear()
        second = run(vendor.url, *views, objects=[], views=["*"], state=first.state, **config)
        assert [
            received_request.path for received_request in vendor.requests if "$filter" in received_request.query
        ] == asked_with
        versions = {message["stream"] for message in second.messages_of("ACTIVATE_VERSION")}
        assert versions == set(views) - ({"vw_rpt_untouched"} if config else set())


@pytest.mark.parametrize("status", [400, 422, 500, 504])
@pytest.mark.parametrize("start_date", [None, "2020-01-01"])
def test_rejected_filter_causes_a_full_read(read_things: Any, caplog: Any, status: int, start_date: str | None) -> None:
    config = {"start_date": start_date} if start_date else {}
    first, _ = read_things(lambda _: make_page(make_row(1), make_row(2)), **config)

    def respond(received_request: ReceivedRequest) -> Response:
        return Response({}, status) if "$filter" in received_request.query else make_page(make_row(2))

    second, vendor = read_things(respond, state=first.state, **config)
    assert [received_request.query for received_request in vendor.requests if received_request.path == PATH][-1] == {}
    assert "the portal rejected the incremental filter; falling back to a full read" in caplog.text
    assert [record["user_id"] for record in second.records("things_core")] == [2]
    assert len(second.messages_of("ACTIVATE_VERSION")) == 1
    assert second.state["bookmarks"]["things_core"]["replication_key_value"] == "2026-04-12T00:44:31.566666Z"


def test_full_page_without_a_link_is_requested_again_to_detect_the_end(
    read_things: Any, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    for name, size in {"FIRST_PAGE": 4, "LARGEST_PAGE": 8, "SMALLEST_PAGE": 2}.items():
        monkeypatch.setattr(stream, name, size)

    def portal_with(total: int, *, links: bool) -> Callable[[ReceivedRequest], Response]:
        def respond(received_request: ReceivedRequest) -> Response:
            size, start = (
                int(received_request.headers["Prefer"].rpartition("=")[2]),
                int(received_request.query_text.rpartition("=")[2] or 0),
            )
            rows = [make_row(number) for number in range(start, min(start + size, total))]
            more = links and start + size < total
            return make_page(*rows, **({"nextLink": f"things_core?$skiptoken={start + size}"} if more else {}))

        return respond

    for total, told, pages in ((4, True, 2), (12, True, 4), (20, True, 5), (6, False, 2), (3, False, 1)):
        output, vendor = read_things(portal_with(total, links=told))
        assert [record["user_id"] for record in output.records("things_core")] == list(range(total))
        assert len(output.messages_of("ACTIVATE_VERSION")) == 1
        assert len(prefer_headers(vendor)) == pages
    fails: list[Exception] = []
    output, _ = read_things(portal_with(30, links=False), fails=fails)
    assert fails
    assert output.messages_of("ACTIVATE_VERSION") == []
    assert "a full page does not say whether another follows" in caplog.text


def test_fewer_rows_than_counted_mark_no_row_as_deleted(read_things: Any) -> None:
    output, vendor = read_things(lambda _: make_page(make_row(1), make_row(2), count=3))
    assert output.messages_of("ACTIVATE_VERSION") == []
    assert len(prefer_headers(vendor)) == 2  # they are requested again
    assert (
        len(read_things(lambda _: make_page(make_row(1), make_row(2), count=2))[0].messages_of("ACTIVATE_VERSION")) == 1
    )


def test_circular_links_fail_the_stream(read_things: Any, caplog: Any) -> None:
    fails: list[Exception] = []
    output, vendor = read_things(
        lambda received_request: make_page(
            make_row(1), nextLink=f"things_core?$skiptoken={'b' if received_request.query_text.endswith('a') else 'a'}"
        ),
        fails=fails,
    )
    assert fails
    assert "leads back to a page already read" in caplog.text
    assert len(prefer_headers(vendor)) < 6
    assert output.messages_of("ACTIVATE_VERSION") == []


@pytest.mark.parametrize(
    ("column", "filtered"),
    [
        ('Type="Edm.DateTimeOffset"', "modified ge 2026-04-12T00:24:31Z"),
        ('Type="Edm.Date"', "modified ge 2026-04-11"),
        ('Type="Edm.DateTimeOffset" FieldIsFilteringAllowed="false"', None),
        ('Type="Edm.String"', None),
    ],
)
def test_replication_key_filter_has_the_format_of_its_type(
    run: Any, portal: Start, column: str, filtered: str | None
) -> None:
    served = serve_sets(lambda _: make_page({"id": 1, "modified": TOUCHED[: 10 if 'Date"' in column else None]}))
    document = EDMX.replace('Name="modified" Type="Edm.DateTimeOffset"', f'Name="modified" {column}').format(tracked="")
    vendor = portal(
        lambda received_request: (
            Response(document.encode()) if received_request.path.endswith("$metadata") else served(received_request)
        )
    )
    config: dict[str, Any] = {"objects": [], "views": ["*"], "replication_keys": {"vw_rpt_untouched": "modified"}}
    first = run(vendor.url, "vw_rpt_untouched", **config)
    vendor.requests.clear()
    run(vendor.url, "vw_rpt_untouched", state=first.state, **config)
    (received_request,) = [
        received_request for received_request in vendor.requests if received_request.path == f"{VIEWS}/vw_rpt_untouched"
    ]
    assert (received_request.query.get("$filter") or "")[:23] == (filtered or "")[:23]
    assert bool(received_request.query) is bool(filtered)


@pytest.mark.parametrize("status", [408, 413])
def test_page_that_is_too_large_is_requested_at_half_the_size(read_things: Any, status: int) -> None:
    output, vendor = read_things(
        lambda received_request: (
            Response({}, status) if received_request.headers["Prefer"].endswith("=1000") else make_page(make_row(1))
        )
    )
    assert len(output.records("things_core")) == 1
    assert prefer_headers(vendor) == ["odata.maxpagesize=1000", "odata.maxpagesize=500"]


@pytest.mark.parametrize(
    ("portal_url", "link"),
    [
        ("https://acme.csod.com", "https://acme.csod.com/x/objects/a?$skiptoken=1"),
        ("https://acme.csod.com", "http://acme.csod.com/x/objects/a?$skiptoken=1"),
        ("https://acme.csod.com:443", "https://ACME.csod.com/x/objects/a?$skiptoken=1"),
        ("https://acme.csod.com", "a?$skiptoken=1"),
        ("https://acme.csod.com", "https://acme.csod.com:8443/x/objects/a?$skiptoken=1"),
        ("https://acme.csod.com", "https://portal.acme.example/learn/a?$skiptoken=1"),
        ("http://127.0.0.1:8000/csod", "http://127.0.0.1:8000/x/objects/a?$skiptoken=1"),
        ("http://127.0.0.1:8000/csod", "http://127.0.0.1:8000/csod/x/objects/a?$skiptoken=1"),
    ],
)
def test_link_is_requested_at_the_portals_own_address_whatever_its_host(portal_url: str, link: str) -> None:
    assert links.path_of(link, portal_url, "/x/objects/a") == "/x/objects/a?$skiptoken=1"


def test_link_to_another_host_without_a_page_token_raises_an_error() -> None:
    with pytest.raises(TapError, match="another host"):
        links.path_of("https://elsewhere.example/x/objects/a", "https://acme.csod.com", "/x/objects/a")


def test_portal_comparison_ignores_host_case_and_default_port() -> None:
    assert links.is_same("https://ACME.csod.com:443/", "https://acme.csod.com")
    assert not links.is_same("https://acme-stg.csod.com", "https://acme.csod.com")
    assert not links.is_same(7, "https://acme.csod.com")


def test_first_page_that_fails_once_does_not_shrink_later_pages(read_things: Any) -> None:
    answers = iter(
        [Response({}, 500), make_page(make_row(1), nextLink="things_core?$skiptoken=2"), make_page(make_row(2))]
    )
    output, vendor = read_things(lambda _: next(answers))
    assert len(output.records("things_core")) == 2
    assert [int(preferred.rpartition("=")[2]) for preferred in prefer_headers(vendor)] == [1000, 500, 10000]


def deleted_entity(form: str) -> dict[str, Any]:
    context = "https://x/objects/$metadata#things_core/$deletedEntity"
    return {
        "entity": {"@odata.context": context, "id": "things_core(user_id=5,code='A''S,')", "reason": "deleted"},
        "removed": {"@odata.removed": {"reason": "deleted"}, "@odata.id": "things_core(user_id=5,code='A%27%27S,')"},
        "keys": {"@removed": {"reason": "deleted"}, "user_id": 5, "code": "A'S,"},
    }[form]


@pytest.mark.parametrize("form", ["entity", "removed", "keys"])
def test_changes_are_tracked_and_deletions_are_emitted_with_their_key(read_things: Any, form: str) -> None:
    first, vendor = read_things(
        lambda _: make_page(make_row(5), make_row(6), deltaLink="things_core?deltatoken=one"), tracked=True
    )
    assert prefer_headers(vendor) == ["odata.track-changes, odata.maxpagesize=1000"]
    place = first.state["bookmarks"]["things_core"]
    assert place["delta_link"] == f"{vendor.url}{PATH}?deltatoken=one"

    def changes(received_request: ReceivedRequest) -> Response:
        if received_request.query_text == "deltatoken=one":
            return make_page(deleted_entity(form), nextLink="things_core?deltatoken=one&$skiptoken=2")
        return make_page(make_row(7), deltaLink="things_core?deltatoken=two")

    second, vendor = read_things(changes, tracked=True, state=first.state)
    assert [received_request.query_text for received_request in vendor.requests if received_request.path == PATH] == [
        "deltatoken=one",
        "deltatoken=one&$skiptoken=2",
    ]
    deleted, changed = second.records("things_core")
    assert {name: deleted[name] for name in ("user_id", "code")} == {"user_id": 5, "code": "A'S,"}
    assert set(deleted) == {"user_id", "code", "_sdc_deleted_at"}
    assert changed["user_id"] == 7
    assert second.state["bookmarks"]["things_core"]["delta_link"] == f"{vendor.url}{PATH}?deltatoken=two"
    assert second.state["bookmarks"]["things_core"]["replication_key_value"] == place["replication_key_value"]
    assert second.messages_of("ACTIVATE_VERSION") == []


LOWER = "5f1c2f9e-0a1b-4c2d-8e3f-a0b1c2d3e4f5"


@pytest.mark.parametrize("form", ["id", "address", "keys"])
@pytest.mark.parametrize(("own", "told"), [(LOWER.upper(), LOWER), (LOWER, LOWER.upper())])
@pytest.mark.parametrize("kind", ["Edm.Guid", "Edm.String"])
def test_deletion_marks_its_row_if_the_guid_has_another_spelling(
    read_things: Any, monkeypatch: pytest.MonkeyPatch, *, form: str, own: str, told: str, kind: str
) -> None:
    monkeypatch.setattr(
        sys.modules[__name__], "EDMX", EDMX.replace('"code" Type="Edm.String"', f'"code" Type="{kind}"')
    )
    address = f"things_core(user_id=5,code={told if kind == 'Edm.Guid' else repr(told)})"
    deletion = {
        "id": {"@removed": {"reason": "deleted"}, "id": address},
        "address": {"@odata.context": "#things_core/$deletedEntity", "id": f"https://acme.example/{address}"},
        "keys": {"@removed": {"reason": "deleted"}, "user_id": 5, "code": told},
    }[form]
    first, _ = read_things(lambda _: make_page(make_row(5, code=own), deltaLink=f"{PATH}?deltatoken=1"), tracked=True)
    second, _ = read_things(lambda _: make_page(deletion, deltaLink="?deltatoken=2"), tracked=True, state=first.state)
    (deleted,) = second.records("things_core")
    assert deleted["_sdc_deleted_at"]
    assert (deleted["user_id"], deleted["code"]) == (5, own)
    third, _ = read_things(lambda _: make_page(deletion, deltaLink="?deltatoken=3"), tracked=True, state=second.state)
    assert third.records("things_core")[0]["code"] == own


def test_deletion_keeps_its_key_if_rows_spell_guids_inconsistently(read_things: Any) -> None:
    rows = (
        make_row(1, code="ABC"),
        make_row(2, code=LOWER[:8].upper() + LOWER[8:]),
        make_row(3, code="1" * 8 + "-1111" * 4 + "1" * 8),
    )
    deletion = {"@removed": {}, "user_id": 2, "code": LOWER.upper()}
    first, _ = read_things(lambda _: make_page(*rows, deltaLink=f"{PATH}?deltatoken=1"), tracked=True)
    second, _ = read_things(lambda _: make_page(deletion, deltaLink="?deltatoken=2"), tracked=True, state=first.state)
    assert [record["code"] for record in second.records("things_core")] == [LOWER.upper()]


GONE = {"@removed": {"reason": "deleted"}, "id": "things_core(5)"}
"""A deletion whose key cannot be read: the object has two parts of it."""

ENDED = {
    "400": Response({"error": {}}, 400),
    "404": Response({"error": {}}, 404),
    "410": Response({"error": {}}, 410),
    "501": Response({"error": {}}, 501),
    "no answer": Response({}, 500),
    "no rows": Response({"value": 7}),
    "no key": make_page(GONE),
}


@pytest.mark.parametrize("how", ENDED)
def test_expired_delta_link_causes_a_full_read_and_restarts_tracking(read_things: Any, caplog: Any, how: str) -> None:
    first, _ = read_things(
        lambda _: make_page(make_row(5), make_row(6), deltaLink="things_core?deltatoken=one"), tracked=True
    )

    def respond(received_request: ReceivedRequest) -> Response:
        if received_request.query_text == "deltatoken=one":
            return ENDED[how]
        return make_page(make_row(6), deltaLink="things_core?deltatoken=two")

    caplog.clear()
    second, vendor = read_things(respond, tracked=True, state=first.state)
    assert [received_request.query_text for received_request in vendor.requests if received_request.path == PATH][
        -1
    ] == ""
    assert prefer_headers(vendor)[-1] == "odata.track-changes, odata.maxpagesize=1000"
    assert "falling back to a full read, which also detects deletions." in caplog.text
    assert [record["user_id"] for record in second.records("things_core")] == [6]
    (activated,) = second.messages_of("ACTIVATE_VERSION")  # row 5 is gone
    assert (
        activated["version"] == second.messages_of("RECORD")[0]["version"] > first.messages_of("RECORD")[0]["version"]
    )
    assert second.state["bookmarks"]["things_core"]["delta_link"].endswith("deltatoken=two")
    third, vendor = read_things(
        lambda _: make_page(deleted_entity("keys"), deltaLink="x?deltatoken=three"), tracked=True, state=second.state
    )
    assert [received_request.query_text for received_request in vendor.requests if received_request.path == PATH] == [
        "deltatoken=two"
    ]
    assert third.records("things_core")[0]["_sdc_deleted_at"]


def test_failed_full_read_in_place_of_changes_is_repeated_by_the_next_run(read_things: Any) -> None:
    first, _ = read_things(lambda _: make_page(make_row(5), deltaLink="things_core?deltatoken=one"), tracked=True)
    fails: list[Exception] = []
    second, _ = read_things(lambda _: Response({}, 418), tracked=True, state=first.state, fails=fails)
    assert fails
    assert second.messages_of("ACTIVATE_VERSION") == []
    state = {**first.state, **second.state}
    third, _ = read_things(
        lambda _: make_page(make_row(6), deltaLink="things_core?deltatoken=two"), tracked=True, state=state
    )
    assert [record["user_id"] for record in third.records("things_core")] == [6]


def test_object_no_longer_tracked_is_read_fully_once_then_incrementally(read_things: Any, caplog: Any) -> None:
    first, _ = read_things(lambda _: make_page(make_row(5), deltaLink="things_core?deltatoken=one"), tracked=True)

    def respond(received_request: ReceivedRequest) -> Response:
        tracks = "track" in received_request.headers["Prefer"] or "deltatoken" in received_request.query_text
        return Response({"error": {}}, 501) if tracks else make_page(make_row(6))

    second, _ = read_things(respond, tracked=True, state=first.state)
    assert len(second.messages_of("ACTIVATE_VERSION")) == 1
    assert second.state["bookmarks"]["things_core"]["delta_link"] is None
    assert "does not track its changes; reading what changed since the bookmark instead" in caplog.text
    _, vendor = read_things(respond, tracked=True, state=second.state)
    assert [set(received_request.query) for received_request in vendor.requests if received_request.path == PATH] == [
        {"$filter"}
    ]


@pytest.mark.parametrize("status", [401, 403])
def test_missing_permission_keeps_the_delta_link(read_things: Any, caplog: Any, status: int) -> None:
    first, _ = read_things(lambda _: make_page(make_row(5), deltaLink="things_core?deltatoken=one"), tracked=True)
    fails: list[Exception] = []
    second, vendor = read_things(lambda _: Response({}, status), tracked=True, state=first.state, fails=fails)
    assert "Nothing could be read" in str(fails[0])
    assert {received_request.query_text for received_request in vendor.requests if received_request.path == PATH} == {
        "deltatoken=one"
    }
    kept = {**first.state, **second.state}["bookmarks"]["things_core"]["delta_link"]
    assert kept.endswith("deltatoken=one")


REMOVAL = {"@odata.context": "x#things_core/$deletedEntity", "id": "things_core(user_id=2,code='AS  ')"}


def catalog_of(url: str, *, tracked: bool, vendor: Host, deselected: str = "") -> dict[str, Any]:
    """Returns the discovered catalog with `things_core` selected, except for a column."""
    vendor.respond = lambda received_request: (
        TOKEN if received_request.method == "POST" else serve_sets(Response, tracked=tracked)(received_request)
    )
    config = {"api_url": url, "client_id": "x", "client_secret": "x", "objects": ["*"], "views": []}
    catalog = TapCornerstone(config={**config, "metadata_cache_hours": 0}).catalog.to_dict()
    for entry in catalog["streams"]:
        for part in entry["metadata"]:
            if part["breadcrumb"] in ([], ["properties", deselected]):
                part["metadata"]["selected"] = not part["breadcrumb"] and entry["stream"] == "things_core"
    return dict(catalog)


@pytest.mark.parametrize(("tracked", "deselected"), [(False, ""), (True, "_sdc_deleted_at")])
def test_deletion_is_marked_whatever_the_catalog_says(
    read_things: Any, portal: Start, *, tracked: bool, deselected: str
) -> None:
    vendor = portal(Response)
    catalog = catalog_of(vendor.url, tracked=tracked, vendor=vendor, deselected=deselected)
    link = {"deltaLink": "things_core?deltatoken=one"}
    first, _ = read_things(lambda _: make_page(make_row(1), make_row(2), **link), tracked=True, catalog=catalog)
    second, _ = read_things(lambda _: make_page(REMOVAL, **link), tracked=True, catalog=catalog, state=first.state)
    (schema,) = second.messages_of("SCHEMA")
    assert schema["schema"]["properties"]["_sdc_deleted_at"]["format"] == "date-time"
    (removed,) = second.records("things_core")
    assert removed.pop("_sdc_deleted_at")
    assert removed == {"user_id": 2, "code": "AS  "}


def test_changes_are_not_tracked_if_deleted_rows_would_lack_the_key(read_things: Any, portal: Start) -> None:
    vendor = portal(Response)
    catalog = catalog_of(vendor.url, tracked=True, vendor=vendor)
    for entry in catalog["streams"]:
        for part in entry["metadata"]:
            if not part["breadcrumb"]:
                part["metadata"]["table-key-properties"] = entry["key_properties"] = ["seats"]
    link = {"deltaLink": "things_core?deltatoken=one"}
    first, vendor = read_things(lambda _: make_page(make_row(1, seats=1), **link), tracked=True, catalog=catalog)
    assert prefer_headers(vendor) == ["odata.maxpagesize=1000"]
    assert "delta_link" not in first.state["bookmarks"]["things_core"]


def test_object_that_stops_tracking_is_read_from_the_bookmark(read_things: Any) -> None:
    link = {"deltaLink": "things_core?deltatoken=one"}
    first, _ = read_things(lambda _: make_page(make_row(1), make_row(2), **link), tracked=True)
    second, vendor = read_things(lambda _: make_page(make_row(1), REMOVAL, **link), state=first.state)
    assert [set(received_request.query) for received_request in vendor.requests if received_request.path == PATH] == [
        {"$filter"}
    ]
    assert [record["user_id"] for record in second.records("things_core")] == [1]
    assert second.state["bookmarks"]["things_core"]["delta_link"] is None


def test_changed_rows_without_all_columns_do_not_clear_columns(read_things: Any, caplog: Any) -> None:
    def respond(received_request: ReceivedRequest) -> Response:
        changes = [{"user_id": 2, "code": "AS  ", TOUCHES: TOUCHED}] if received_request.query_text else []
        return make_page(
            *(changes or [make_row(1, seats=1), make_row(2, seats=3)]), deltaLink="things_core?deltatoken=one"
        )

    first, _ = read_things(respond, tracked=True)
    second, _ = read_things(respond, tracked=True, state=first.state)
    assert [(record["user_id"], record["seats"]) for record in second.records("things_core")] == [(1, 1), (2, 3)]
    assert len(second.messages_of("ACTIVATE_VERSION")) == 1
    assert "things_core: the changes since the last run contain rows that lack columns. Falling back" in caplog.text


def test_changed_rows_may_omit_columns_that_a_full_read_omits(read_things: Any) -> None:
    first, _ = read_things(
        lambda _: make_page(make_row(1, seats=1), make_row(2), deltaLink="things_core?deltatoken=one"), tracked=True
    )
    assert first.state["bookmarks"]["things_core"]["omitted_columns"] == ["seats"]
    second, _ = read_things(
        lambda _: make_page(make_row(2), deltaLink="things_core?deltatoken=two"), tracked=True, state=first.state
    )
    assert [record["user_id"] for record in second.records("things_core")] == [2]


def test_next_link_that_expires_during_a_read_restarts_the_list(read_things: Any) -> None:
    ended = iter([Response({"error": {}}, 410)])

    def respond(received_request: ReceivedRequest) -> Response:
        number = int(received_request.query_text.rpartition("=")[2] or 0)
        if number == 2 and (response := next(ended, None)):
            return response
        return make_page(
            make_row(number), **({"nextLink": f"things_core?$skiptoken={number + 1}"} if number < 3 else {})
        )

    output, _ = read_things(respond)
    assert [record["user_id"] for record in output.records("things_core")] == [0, 1, 0, 1, 2, 3]
    versions = [message["version"] for message in output.messages_of("RECORD")]
    assert versions[0] < versions[2]
    assert [message["version"] for message in output.messages_of("ACTIVATE_VERSION")] == [versions[2]]


def test_links_that_always_expire_fail_the_stream_after_three_restarts(read_things: Any) -> None:
    fails: list[Exception] = []
    _, vendor = read_things(
        lambda received_request: (
            Response({}, 410)
            if received_request.query_text
            else make_page(make_row(1), nextLink="things_core?$skiptoken=2")
        ),
        fails=fails,
    )
    assert fails
    assert [received_request.query_text for received_request in vendor.requests if received_request.path == PATH].count(
        ""
    ) == 1 + 3


def test_object_that_rejects_tracking_is_read_without_it(read_things: Any) -> None:
    def respond(received_request: ReceivedRequest) -> Response:
        return Response({"error": {}}, 501) if "track" in received_request.headers["Prefer"] else make_page(make_row(1))

    output, vendor = read_things(respond, tracked=True)
    assert output.counts() == {"things_core": 1}
    assert len(prefer_headers(vendor)) == 2
    assert "delta_link" not in output.state["bookmarks"]["things_core"]
    assert len(output.messages_of("ACTIVATE_VERSION")) == 1


def fail_on_page_3(received_request: ReceivedRequest) -> Response:
    number = int(received_request.query_text.partition("skiptoken=")[2] or 0)
    if number == 3:
        return Response({}, 418)
    return make_page(make_row(number), nextLink=f"things_core?$skiptoken={number + 1}")


def test_killed_read_resumes_from_its_last_complete_page(read_things: Any) -> None:
    fails: list[Exception] = []
    first, _ = read_things(fail_on_page_3, fails=fails)
    assert fails
    assert len(first.records("things_core")) == 3

    def rest(received_request: ReceivedRequest) -> Response:
        assert received_request.query_text == "$skiptoken=3"
        return make_page(make_row(3))

    second, vendor = read_things(rest, state=first.state)
    assert [record["user_id"] for record in second.records("things_core")] == [3]
    assert len(prefer_headers(vendor)) == 1
    version = {message["version"] for output in (first, second) for message in output.messages_of("RECORD")}
    assert [message["version"] for message in second.messages_of("ACTIVATE_VERSION")] == list(version)
    assert second.state["bookmarks"]["things_core"]["finished_slices"] is None


def test_later_page_that_fails_and_then_has_no_body_does_not_end_the_list(read_things: Any) -> None:
    faults = iter([Response({"error": {}}, 500), Response(b"", 204), Response({"error": {}}, 413), Response(b"", 204)])

    def respond(received_request: ReceivedRequest) -> Response:
        if not received_request.query_text:
            return make_page(*(make_row(n) for n in range(1000)), nextLink="things_core?$skiptoken=2", count=1001)
        return next(faults, None) or make_page(make_row(1000))

    output, _ = read_things(respond)
    assert len(output.records("things_core")) == 1001  # and the list is not read twice for its number of rows
    assert len(output.messages_of("ACTIVATE_VERSION")) == 1


@pytest.mark.parametrize("nothing", [make_page(), Response({"value": None}), Response(b"", 204)])
def test_resume_link_that_returns_no_rows_proves_no_deletion(read_things: Any, nothing: Response) -> None:
    first, _ = read_things(fail_on_page_3, fails=[])
    answers = iter([nothing])

    def respond(received_request: ReceivedRequest) -> Response:
        if received_request.query_text:
            return next(answers, None) or make_page(make_row(3))
        return make_page(*(make_row(n) for n in range(4)))

    second, _ = read_things(respond, state=first.state)
    ids = [record["user_id"] for record in second.records("things_core")]
    assert ids == ([3] if nothing.status == 204 else [0, 1, 2, 3])
    assert len(second.messages_of("ACTIVATE_VERSION")) == 1


def test_expired_resume_link_causes_a_restart(read_things: Any) -> None:
    first, _ = read_things(fail_on_page_3, fails=[])

    def respond(received_request: ReceivedRequest) -> Response:
        return (
            Response({"error": {}}, 410)
            if "skiptoken" in received_request.query_text
            else make_page(*(make_row(n) for n in range(5)))
        )

    second, _ = read_things(respond, state=first.state)
    assert [record["user_id"] for record in second.records("things_core")] == [0, 1, 2, 3, 4]
    assert len(second.messages_of("ACTIVATE_VERSION")) == 1


def test_rate_limit_is_waited_for_and_keeps_the_page_size(read_things: Any) -> None:
    limited = iter([Response({}, 429, {"Retry-After": "0"})])
    _, vendor = read_things(lambda _: next(limited, make_page(make_row(1))))
    assert prefer_headers(vendor) == ["odata.maxpagesize=1000"] * 2


@pytest.mark.parametrize("name", ["midstream_error_json", "midstream_error_html"])
def test_published_broken_pages_are_requested_again(read_things: Any, samples: Path, name: str) -> None:
    body = json.loads((samples / f"reporting_{name}.json").read_text())["response"]["body_text"]
    broken = iter([Response(body.encode())])
    output, vendor = read_things(lambda _: next(broken, make_page(make_row(1))))
    assert [record["user_id"] for record in output.records("things_core")] == [1]
    assert len(prefer_headers(vendor)) == 2


def test_published_changes_are_read(run: Any, portal: Start, samples: Path) -> None:
    first, delta = (
        json.loads((samples / f"dataexporter_{name}.json").read_text())["response"]["body"]
        for name in ("track_changes_first", "delta")
    )
    metadata = json.loads((samples / "dataexporter_metadata.json").read_text())["response"]["body_text"].encode()

    def respond(received_request: ReceivedRequest) -> Response:
        if received_request.path.endswith("$metadata"):
            return Response(metadata)
        return Response(delta if "deltatoken" in received_request.query_text else first)

    vendor = portal(respond)
    one = run(vendor.url, "user_ou_core", objects=["user_ou_core"], views=[])
    two = run(vendor.url, "user_ou_core", objects=["user_ou_core"], views=[], state=one.state)
    assert len(one.records("user_ou_core")) == 2
    deleted, changed = two.records("user_ou_core")
    assert (deleted["user_id"], deleted["ou_id"]) == (5, 77)
    assert changed["ou_id"] == 139


def test_links_may_write_the_host_in_another_case(read_things: Any) -> None:
    def respond(received_request: ReceivedRequest) -> Response:
        if received_request.query_text:
            return make_page(make_row(2))
        host = received_request.headers["Host"].replace("127.0.0.1", "LOCALHOST")
        return make_page(make_row(1), nextLink=f"http://{host}{PATH}?$skiptoken=2")

    output, _ = read_things(respond, api_host="localhost")
    assert [record["user_id"] for record in output.records("things_core")] == [1, 2]


def test_rows_without_a_key_are_read_again_from_the_start_in_a_new_version(run: Any, portal: Start) -> None:
    fails: list[Exception] = []

    def respond(received_request: ReceivedRequest) -> Response:
        number = int(received_request.query_text.rpartition("=")[2] or 0)
        if number == 2 and not fails:
            return Response({}, 418)
        following = {"nextLink": f"vw_rpt_keyless?$skiptoken={number + 1}"} if number < 3 else {}
        return make_page({"a": str(number)}, **following)

    vendor = portal(serve_sets(respond))
    config = {"objects": [], "views": ["vw_rpt_keyless"]}
    first = run(vendor.url, "vw_rpt_keyless", fails=fails, **config)
    assert first.state == {"bookmarks": {"vw_rpt_keyless": {"portal": vendor.url}}}
    second = run(vendor.url, "vw_rpt_keyless", state=first.state, **config)
    assert [record["a"] for record in second.records("vw_rpt_keyless")] == ["0", "1", "2", "3"]
    versions = {message["version"] for output in (first, second) for message in output.messages_of("RECORD")}
    assert len(versions) == 2
    assert second.messages_of("ACTIVATE_VERSION")[0]["version"] == max(versions)


def test_read_with_start_date_resumes_and_tracked_objects_are_read_fully(read_things: Any) -> None:
    fails: list[Exception] = []
    first, vendor = read_things(fail_on_page_3, fails=fails, start_date="2020-01-01")
    assert vendor.requests[2].query == {"$filter": "_last_touched_dt_utc ge 2020-01-01T00:00:00Z"}
    second, vendor = read_things(lambda _: make_page(make_row(3)), state=first.state, start_date="2020-01-01")
    assert [received_request.query_text for received_request in vendor.requests if received_request.path == PATH] == [
        "$skiptoken=3"
    ]
    tracked, vendor = read_things(
        lambda _: make_page(make_row(3), deltaLink="x?d=1"), tracked=True, start_date="2020-01-01"
    )
    assert [received_request.query_text for received_request in vendor.requests if received_request.path == PATH] == [
        ""
    ]
    assert second.counts() == tracked.counts() == {"things_core": 1}


def test_restart_gets_a_new_version_and_may_meet_the_same_links(read_things: Any) -> None:
    first, _ = read_things(fail_on_page_3, fails=[])
    seen: list[str] = []

    def respond(received_request: ReceivedRequest) -> Response:
        number = int(received_request.query_text.rpartition("=")[2] or 0)
        seen.append(received_request.query_text)
        if number == 3 and seen.count(received_request.query_text) == 1:
            return Response({"error": {}}, 422)
        return make_page(
            make_row(number), **({"nextLink": f"things_core?$skiptoken={number + 1}"} if number < 4 else {})
        )

    second, _ = read_things(respond, state=first.state)
    assert [record["user_id"] for record in second.records("things_core")] == [0, 1, 2, 3, 4]
    (activated,) = second.messages_of("ACTIVATE_VERSION")
    assert activated["version"] > first.messages_of("RECORD")[0]["version"]


@pytest.mark.parametrize("link", [None, ""])
def test_delta_without_a_new_link_keeps_the_old_one_and_warns(read_things: Any, caplog: Any, link: Any) -> None:
    first, _ = read_things(lambda _: make_page(make_row(5), deltaLink="things_core?deltatoken=one"), tracked=True)
    members = {} if link is None else {"deltaLink": link}
    second, _ = read_things(lambda _: make_page(make_row(6), **members), tracked=True, state=first.state)
    delta = [output.state["bookmarks"]["things_core"]["delta_link"] for output in (first, second)]
    assert delta[0] == delta[1]
    assert "keeping the old one" in caplog.text


def test_maintenance_is_waited_for_and_keeps_the_page_size(read_things: Any) -> None:
    resting = iter([Response({}, 503, {"Retry-After": "0"}), Response({}, 503)])
    _, vendor = read_things(lambda _: next(resting, make_page(make_row(1))))
    assert prefer_headers(vendor) == ["odata.maxpagesize=1000"] * 3


def test_state_of_another_portal_is_rejected(read_things: Any) -> None:
    first, _ = read_things(lambda _: make_page(make_row(5)))
    first.state["bookmarks"]["things_core"]["portal"] = "https://acme-stg.csod.com"
    fails: list[Exception] = []
    second, _ = read_things(lambda _: make_page(make_row(5)), state=first.state, fails=fails)
    assert "The state belongs to a different portal from that of `corpname` or `api_url`." in str(fails[0])
    assert second.messages == []


def test_links_of_another_portal_in_the_state_are_not_followed(read_things: Any) -> None:
    first, _ = read_things(lambda _: make_page(make_row(5), deltaLink="things_core?deltatoken=one"), tracked=True)
    place = first.state["bookmarks"]["things_core"]
    place["delta_link"] = f"https://acme-stg.csod.com{PATH}?deltatoken=one"
    second, vendor = read_things(lambda _: make_page(make_row(5)), tracked=True, state=first.state)
    assert [set(received_request.query) for received_request in vendor.requests if received_request.path == PATH] == [
        {"$filter"}
    ]
    assert second.state["bookmarks"]["things_core"]["delta_link"] is None


def test_invalid_replication_key_setting_logs_a_warning(run: Any, portal: Start, caplog: Any) -> None:
    vendor = portal(serve_sets(lambda _: make_page({"id": 1})))
    run(vendor.url, "vw_rpt_untouched", objects=[], views=["*"], replication_keys={"vw_rpt_untouched": "nothing"})
    assert "`replication_keys` cannot be used for vw_rpt_untouched" in caplog.text


@pytest.mark.parametrize(("name", "key"), [("vw_rpt_untouched", "nothing"), ("vw_rpt_keyless", TOUCHES)])
def test_invalid_replication_key_in_the_catalog_logs_a_warning(
    run: Any, portal: Start, caplog: Any, name: str, key: str
) -> None:
    vendor = portal(serve_sets(lambda _: make_page({"id": 1})))
    root = {"breadcrumb": [], "metadata": {"selected": True, "replication-key": key}}
    schema = {"type": "object", "properties": {"id": {"type": ["integer", "null"]}}}
    entry = {"tap_stream_id": name, "stream": name, "schema": schema, "metadata": [root]}
    output = run(vendor.url, objects=[], views=["*"], catalog={"streams": [entry]})
    assert f"{name}: the catalog's `replication-key` cannot be used" in caplog.text
    assert len(output.messages_of("ACTIVATE_VERSION", name)) == 1


@pytest.mark.parametrize("ended", [False, True])
def test_given_token_may_lack_a_scope_or_have_expired(run: Any, portal: Start, caplog: Any, *, ended: bool) -> None:
    asked_for = 0

    def respond(received_request: ReceivedRequest) -> Response:
        nonlocal asked_for
        asked_for += received_request.path == PATH
        good = received_request.path == PATH and not (ended and asked_for > 1)
        return make_page(make_row(1)) if good else Response({}, 401)

    vendor = portal(serve_sets(respond))
    names = ("things_core", "vw_rpt_keyless", "vw_rpt_untouched")
    fails: list[Exception] = []
    config: dict[str, Any] = {"objects": ["*"], "views": ["*"], "access_token": "t", "max_concurrency": 1}
    run(vendor.url, *names, fails=fails, **config)
    assert asked_for == 2  # once more, to tell one from the other
    if ended:
        assert "it expired or was revoked" in str(fails[0])
    else:
        assert fails == []
        assert caplog.text.count("needs the scope") == 2


@pytest.mark.parametrize("kind", ["delta", "place"])
def test_transient_errors_do_not_lose_a_link_of_an_earlier_run(
    read_things: Any, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "LARGEST_PAGE", 1000)
    if kind == "delta":
        first, _ = read_things(lambda _: make_page(make_row(5), deltaLink="things_core?deltatoken=one"), tracked=True)
    else:
        halting = iter([make_page(make_row(5), nextLink="things_core?$skiptoken=2"), *[Response({}, 418)] * 9])
        first, _ = read_things(lambda _: next(halting), fails=[])
    blips = iter([Response({}, 500)] * 6)
    second, vendor = read_things(
        lambda _: next(blips, make_page(make_row(6), deltaLink="things_core?deltatoken=two")),
        tracked=kind == "delta",
        state=first.state,
    )
    assert [record["user_id"] for record in second.records("things_core")] == [6]
    links = {received_request.query_text for received_request in vendor.requests if received_request.path == PATH}
    assert links == {"deltatoken=one" if kind == "delta" else "$skiptoken=2"}


def test_rate_limit_that_lasts_too_long_keeps_the_delta_link(read_things: Any, caplog: Any) -> None:
    first, _ = read_things(lambda _: make_page(make_row(5), deltaLink="things_core?deltatoken=one"), tracked=True)
    limited = Response({}, 429, {"Retry-After": "10000"})
    second, vendor = read_things(lambda _: limited, tracked=True, state=first.state, fails=[])
    assert {received_request.query_text for received_request in vendor.requests if received_request.path == PATH} == {
        "deltatoken=one"
    }
    assert "longer than `max_wait` allows" in caplog.text
    assert "has expired" not in caplog.text
    assert second.state == first.state


def test_state_with_views_no_longer_available_is_accepted(run: Any, portal: Start) -> None:
    vendor = portal(serve_sets(lambda _: make_page({"id": 1})))
    state = {"bookmarks": {"vw_rpt_gone": {"version": 1}}}
    assert run(vendor.url, "vw_rpt_untouched", objects=[], views=["*"], state=state).counts()


def test_odata_annotations_are_not_columns(read_things: Any) -> None:
    relation = {"@odata.context": "x/$metadata#things_core/$link", "source": "a", "target": "b"}
    output, _ = read_things(lambda _: make_page(make_row(1, **{"@odata.etag": "W/1"}), relation))
    assert [set(record) for record in output.records("things_core")] == [{"user_id", "code", "_last_touched_dt_utc"}]


def test_entry_that_is_not_a_row_stops_no_other_and_no_row_is_deleted(read_things: Any, caplog: Any) -> None:
    output, _ = read_things(lambda _: make_page(make_row(1), None, 5, make_row(2)))
    assert {record["user_id"] for record in output.records("things_core")} == {1, 2}
    assert output.messages_of("ACTIVATE_VERSION") == []
    assert "2 items are missing because the vendor reported an error" in caplog.text


@pytest.mark.parametrize("odd", [None, 5, "x", []])
def test_page_of_invalid_entries_does_not_stop_later_pages(read_things: Any, odd: Any, caplog: Any) -> None:
    pages = {
        "": make_page(odd, nextLink="things_core?$skiptoken=1"),
        "$skiptoken=1": make_page(make_row(1), nextLink="things_core?$skiptoken=2"),
        "$skiptoken=2": make_page(odd, odd),
    }
    output, _ = read_things(lambda received_request: pages[received_request.query_text])
    assert {record["user_id"] for record in output.records("things_core")} == {1}
    assert output.messages_of("ACTIVATE_VERSION") == []
    assert (
        "things_core: 3 items are missing because the vendor reported an error for them or sent something other"
        in caplog.text
    )


def test_single_row_in_place_of_a_list_is_read(read_things: Any) -> None:
    output, _ = read_things(lambda _: Response({"value": make_row(1)}))
    assert [record["user_id"] for record in output.records("things_core")] == [1]
    assert len(output.messages_of("ACTIVATE_VERSION")) == 1


def test_missing_list_is_requested_again_and_marks_no_row_as_deleted(read_things: Any, caplog: Any) -> None:
    answers = iter([make_page(make_row(1), nextLink="things_core?$skiptoken=1"), Response({"value": None})])
    output, _ = read_things(
        lambda received_request: (
            Response({"value": None}) if received_request.query_text else next(answers, make_page(make_row(1)))
        )
    )
    assert {record["user_id"] for record in output.records("things_core")} == {1}

    nothing, _ = read_things(lambda _: Response({"value": None}))
    assert nothing.records("things_core") == []
    assert nothing.messages_of("ACTIVATE_VERSION") == []
    assert "were not confirmed to be empty" in caplog.text


@pytest.mark.parametrize("body", [{"value": 5}, {"value": "x"}, {"rows": []}, [], {"value": [None]}])
def test_response_without_a_row_fails_the_stream(read_things: Any, body: Any, caplog: Any) -> None:
    fails: list[Exception] = []
    read_things(lambda _: Response(body), fails=fails)
    assert "1 of 1 streams failed: things_core" in str(fails[0])
    assert "things_core: " in caplog.text


@pytest.mark.parametrize("status", [402, 410, 412, 428])
def test_unlicensed_or_disabled_view_is_skipped_by_name(run: Any, portal: Start, caplog: Any, status: int) -> None:
    vendor = portal(
        serve_sets(
            lambda received_request: Response({}, status) if "things" in received_request.path else make_page({"id": 1})
        )
    )
    output = run(vendor.url, "things_core", "vw_rpt_untouched", objects=["*"], views=["*"])
    assert set(output.counts()) == {"vw_rpt_untouched"}
    sentence = (
        f"the company's plan does not include this stream, or the vendor has switched it off (status {status} from"
    )
    assert f"things_core: {sentence}" in caplog.text
    assert "It needs the scope obj_things_core:read. Skipping it; the run continues." in caplog.text


def test_delta_link_is_kept_if_an_entry_of_its_response_is_invalid(read_things: Any) -> None:
    link = f"{PATH}?deltatoken="
    first, _ = read_things(lambda _: make_page(make_row(1), deltaLink=f"{link}1"), tracked=True)
    state = first.state
    second, _ = read_things(lambda _: make_page(make_row(2), None, deltaLink=f"{link}2"), tracked=True, state=state)
    kept = second.state["bookmarks"]["things_core"]["delta_link"]
    assert kept.endswith("deltatoken=1")


def test_rows_are_deleted_only_if_marked_in_any_spelling(read_things: Any) -> None:
    address = "https://acme.example/things_core(user_id=4,code='AS  ')"
    changes = [
        make_row(1, **{"@removed": None}),
        {"user_id": 2, "code": "AS  ", "@Removed": {"reason": "deleted"}},
        {"@odata.context": "#things_core/$DeletedEntity", "user_id": 3, "code": "AS  "},
        {"@odata.context": "#things_core/$deletedEntity", "Id": address, "user_id": None},
    ]
    first, _ = read_things(lambda _: make_page(make_row(1), deltaLink=f"{PATH}?deltatoken=1"), tracked=True)
    output, _ = read_things(lambda _: make_page(*changes, deltaLink="?deltatoken=2"), tracked=True, state=first.state)
    gone = {record["user_id"]: bool(record.get("_sdc_deleted_at")) for record in output.records("things_core")}
    assert gone == {1: False, 2: True, 3: True, 4: True}


def test_no_content_in_place_of_a_later_page_does_not_end_the_list(read_things: Any) -> None:
    met: list[str] = []

    def respond(received_request: ReceivedRequest) -> Response:
        met.append(received_request.query_text)
        if not received_request.query_text:
            return make_page(make_row(1), nextLink="things_core?$skiptoken=1")
        return Response(b"", status=204) if len(met) == 2 else make_page(make_row(2))

    output, _ = read_things(respond)
    assert [record["user_id"] for record in output.records("things_core")] == [1, 2]


def test_endless_new_links_fail_the_stream(read_things: Any, caplog: Any) -> None:
    fails: list[Exception] = []
    output, vendor = read_things(
        lambda received: make_page(
            make_row(1),
            nextLink=f"things_core?$skiptoken={len(received.query_text)}{'0' * len(received.query_text)}",
        ),
        fails=fails,
    )
    assert fails
    assert "never ends" in caplog.text
    assert output.messages_of("ACTIVATE_VERSION") == []
    assert len(vendor.requests) < 30


def test_alternating_links_fail_the_stream_by_name(read_things: Any, caplog: Any) -> None:
    fails: list[Exception] = []

    def respond(received_request: ReceivedRequest) -> Response:
        token = 2 if received_request.query_text == "$skiptoken=1" else 1
        return make_page(make_row(token), nextLink=f"things_core?$skiptoken={token}")

    _, vendor = read_things(respond, fails=fails)
    assert "1 of 1 streams failed: things_core" in str(fails[0])
    assert "things_core: the link to the next page leads back to a page already read" in caplog.text
    assert len(vendor.requests) < 12


def test_fewer_rows_than_the_portal_counts_are_incomplete(read_things: Any, caplog: Any) -> None:
    output, _ = read_things(lambda _: make_page(make_row(1), make_row(2), count=3))
    assert output.messages_of("ACTIVATE_VERSION") == []
    assert "fewer records than the vendor reports" in caplog.text
