"""The streams that a portal offers: discovered, cached, and included in the package."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest
from singer_rest import TapError
from singer_rest.testing import Host, ReceivedRequest, Response
from singer_sdk.exceptions import ConfigValidationError
from tap_cornerstone.odata import metadata, services
from tap_cornerstone.tap import TapCornerstone

if TYPE_CHECKING:
    from collections.abc import Callable

    from hr_sandbox.testing import Sandbox

    Start = Callable[[Callable[[ReceivedRequest], Response]], Host]

CREDENTIALS = {"client_id": "sandbox-client", "client_secret": "sandbox-secret"}


def discover_columns(url: str, **config: Any) -> dict[str, set[str]]:
    """Columns by stream."""
    tap = TapCornerstone(config={"api_url": url, **CREDENTIALS, **config})
    return {stream["tap_stream_id"]: set(stream["schema"]["properties"]) for stream in tap.catalog_dict["streams"]}


def requests_for(sandbox: Sandbox) -> list[tuple[str, int]]:
    return [
        (request["path"].rpartition("/x/")[2], request["status"])
        for request in sandbox.requests()
        if request["path"].endswith("$metadata")
    ]


def test_shipped_catalogue_is_used_without_credentials() -> None:
    tap = TapCornerstone(config={"views": ["*"], "objects": ["*"]}, validate_config=False)
    names = {name for name in tap.streams if name.startswith("vw_") or name.endswith(("_core", "_history"))}
    assert len(names) >= 365
    assert {"vw_rpt_transaction", "training_purchase_core", "users_core"} <= set(tap.streams)


def test_portals_own_columns_are_discovered_and_cached_for_a_day(sandbox: Sandbox, url: str, cache: Path) -> None:
    names = {"objects": ["users_core", "users_cf_core"], "views": ["vw_rpt_user_cf"]}
    first = discover_columns(url, **names)
    assert {"users_core", "users_cf_core", "vw_rpt_user_cf"} <= set(first)
    assert len(requests_for(sandbox)) == 2
    sandbox.control("cornerstone/custom-field", kind="user", label="Shoe size")
    assert discover_columns(url, **names) == first
    assert len(requests_for(sandbox)) == 2
    later = discover_columns(url, metadata_cache_hours=0, **names)
    assert len(requests_for(sandbox)) == 4
    assert len(later["users_cf_core"]) == len(first["users_cf_core"]) + 1
    files = list(cache.iterdir())
    assert len(files) == 2
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


def test_pattern_or_key_without_a_match_logs_a_warning(
    sandbox: Sandbox, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    discover_columns(url, objects=["nosuch_core"], views=[], replication_keys={"vw_typo": "x"})
    assert "`objects`: nothing in the portal matches `nosuch_core`." in caplog.text
    assert "`replication_keys` names vw_typo" in caplog.text


def test_null_setting_has_its_default(sandbox: Sandbox, url: str) -> None:
    assert discover_columns(url, objects=None, views=None) == discover_columns(url)


def test_another_token_discovers_its_own_catalogue(sandbox: Sandbox, url: str) -> None:
    for token in ("one", "two"):
        with pytest.raises(TapError, match="cannot list the portal's objects"):
            TapCornerstone(config={"api_url": url, "access_token": token}).catalog_dict  # noqa: B018
    discover_columns(url, views=[])
    with pytest.raises(TapError, match="or set another `access_token`"):
        TapCornerstone(config={"api_url": url, "access_token": "one", "views": []}).catalog_dict  # noqa: B018


@pytest.mark.parametrize("homeless", [False, True])
def test_unwritable_cache_is_not_used(
    sandbox: Sandbox, url: str, cache: Path, monkeypatch: pytest.MonkeyPatch, *, homeless: bool
) -> None:
    if homeless:
        monkeypatch.setattr(services, "user_cache_path", Mock(side_effect=RuntimeError("no home")))
    else:
        monkeypatch.setattr(Path, "replace", Mock(side_effect=OSError))
    for _ in range(2):
        assert discover_columns(url, objects=["users_core"], views=[])
    assert len(requests_for(sandbox)) == 2
    assert homeless or list(cache.iterdir()) == []


def test_matching_etag_avoids_a_download(sandbox: Sandbox, url: str) -> None:
    sandbox.control("cornerstone/etag", on=True)
    config: dict[str, Any] = {"objects": ["users_core"], "views": [], "metadata_cache_hours": 0}
    first = discover_columns(url, **config)
    assert discover_columns(url, **config) == first
    assert [status for _, status in requests_for(sandbox)] == [200, 304]
    sandbox.control("cornerstone/custom-field", kind="user", label="Shoe size")
    discover_columns(url, **config)
    assert [status for _, status in requests_for(sandbox)] == [200, 304, 200]


def test_unchanged_document_is_not_parsed_again(sandbox: Sandbox, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config: dict[str, Any] = {"objects": ["users_core"], "views": [], "metadata_cache_hours": 0}
    first = discover_columns(url, **config)
    with monkeypatch.context() as context:
        context.setattr(metadata, "parse", lambda _: pytest.fail("it is the same document"))
        assert discover_columns(url, **config) == first
    sandbox.control("cornerstone/custom-field", kind="user", label="Shoe size")
    assert discover_columns(url, **{**config, "objects": ["users_cf_core"]})
    assert [status for _, status in requests_for(sandbox)] == [200, 200, 200]


def test_columns_added_since_discovery_are_loaded(
    run: Callable[..., Any], sandbox: Sandbox, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    config: dict[str, Any] = {"objects": ["users_cf_core"], "views": []}
    run(url, "users_cf_core", **config)
    name = sandbox.control("cornerstone/custom-field", kind="user", label="Shoe size")
    output = run(url, "users_cf_core", **config)
    extra = {field for record in output.records("users_cf_core") for field in record.get("_extra") or {}}
    assert len(extra) == 1, name
    assert f"fields that the schema does not list are kept in `_extra`: {extra.pop()}" in caplog.text


def test_failed_discovery_raises_an_error_unless_the_cache_is_recent(
    run: Callable[..., Any], sandbox: Sandbox, url: str
) -> None:
    config: dict[str, Any] = {"objects": ["ou_core"], "views": []}
    run(url, "ou_core", **config)
    path = "/cornerstone/services/api/x/dataexporter/api/objects/$metadata"
    sandbox.control("fault", path=path, kind="status", status=503, times=None)
    assert run(url, "ou_core", **config).counts()
    with pytest.raises(TapError, match="metadata of the portal's objects cannot be read"):
        run(url, "ou_core", metadata_cache_hours=0, **config)


@pytest.mark.parametrize(
    ("response", "sentence"),
    [
        (Response({}, 401), "it needs the scope obj_metadata:read (status 401). Grant that scope"),
        (Response({}, 403), "set `objects` to [] to leave them out"),
        (Response({}, 404), "status 404"),
        (Response(b"", 304), "status 304"),
        (Response(b"<html>", 302, {"Location": "/login"}), "status 302"),
        (Response(b"<html><body>Sign in<br></html>"), "objects cannot be read (it is not XML)"),
        (Response(b"<edmx:Edmx"), "(it is truncated). Run again later"),
        (Response(b"<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>"), "it declares a document type"),
    ],
)
def test_failed_discovery_is_reported_without_a_silent_fallback(
    portal: Start, response: Response, sentence: str
) -> None:
    vendor = portal(lambda _: response)
    with pytest.raises(TapError) as error:
        discover_columns(vendor.url, views=[])
    assert sentence in str(error.value)


def test_service_without_patterns_is_not_requested(sandbox: Sandbox, url: str) -> None:
    streams = discover_columns(url, objects=[], views=[])
    assert requests_for(sandbox) == []
    assert not {name for name in streams if name.startswith("vw_") or name.endswith("_core")}


def test_replication_key_is_the_timestamp_column_the_named_one_or_none(url: str) -> None:
    config = {"objects": ["users_core"], "views": ["vw_rpt_user", "vw_rpt_transcript"]}
    tap = TapCornerstone(config={"api_url": url, **CREDENTIALS, **config})
    keys = {stream["tap_stream_id"]: stream.get("replication_key") for stream in tap.catalog_dict["streams"]}
    assert keys["users_core"] == "_last_touched_dt_utc"
    assert keys["vw_rpt_transcript"] == "_last_touched_dt_utc"


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({}, "Set `corpname` (acme of https://acme.csod.com), or `api_url`."),
        ({"corpname": "https://acme.csod.com"}, "Set `corpname` to the portal's name only"),
        ({"corpname": "acme", "client_secret": ""}, "Set `client_secret`"),
        ({"api_url": "acme"}, "Set `api_url` to an address"),
        ({"corpname": "acme", "client_id": "", "client_secret": ""}, "Set `client_id`"),
        ({"corpname": "acme", "applicant_statuses": ["Hired", " "]}, "Set `applicant_statuses`"),
        ({"corpname": "acme", "lookback_minutes": -1}, "Set `lookback_minutes` to a number from 0"),
        ({"corpname": "acme", "metadata_cache_hours": 9999}, "Set `metadata_cache_hours` to a number"),
        ({"corpname": "acme", "views": "vw_rpt_user"}, "views"),
    ],
)
def test_invalid_settings_are_reported(config: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigValidationError) as error:
        TapCornerstone(config={**CREDENTIALS, **config})
    assert sentence in " ".join(error.value.errors)


def test_host_is_derived_from_corpname(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    tap = TapCornerstone(config={**CREDENTIALS, "corpname": "acme-stg", "views": [], "objects": []})
    assert tap.transport.api_url == "https://acme-stg.csod.com"


EDMX = """<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"><edmx:DataServices>
<Schema Namespace="Csod" xmlns="http://docs.oasis-open.org/odata/ns/edm"><EntityType Name="{0}">
<Key><PropertyRef Name="id"/></Key><Property Name="id" Type="Edm.Int32" Nullable="false"/></EntityType></Schema>
</edmx:DataServices></edmx:Edmx>"""
BOTH: dict[str, Any] = {"objects": ["*"], "views": ["*"], "metadata_cache_hours": 0}


def described_portal(odd: Response, *, views_too: bool = False) -> Callable[[ReceivedRequest], Response]:
    """Returns a portal that describes its objects. The given response is that for its views."""

    def respond(received_request: ReceivedRequest) -> Response:
        if received_request.path.endswith("$metadata"):
            is_odd = "/views/" in received_request.path or views_too
            return odd if is_odd else Response(EDMX.format("things_core").encode())
        return Response({"value": [{"id": 1}]} if received_request.path.endswith("_core") else {"data": [{"id": 7}]})

    return respond


@pytest.mark.parametrize("status", [401, 402, 403, 410, 412, 428])
def test_forbidden_service_is_skipped_by_name_and_others_are_read(
    run: Callable[..., Any], portal: Start, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    output = run(portal(described_portal(Response({}, status))).url, "things_core", "ou_types", **BOTH)
    assert output.counts() == {"things_core": 1, "ou_types": 1}
    assert f"needs the scope reportingmetadata:view (status {status}). Skipping them" in caplog.text
    with pytest.raises(TapError, match="reportingmetadata:view"):
        run(portal(described_portal(Response({}, status))).url, on_missing_access="fail", **BOTH)


def test_cached_streams_of_a_forbidden_service_stay_available(
    run: Callable[..., Any], portal: Start, caplog: pytest.LogCaptureFixture
) -> None:
    vendor = portal(described_portal(Response(EDMX.format("vw_rpt_x").encode())))
    assert "vw_rpt_x" in discover_columns(vendor.url, **BOTH)
    vendor.respond = portal(described_portal(Response({}, 403))).respond
    assert "vw_rpt_x" in discover_columns(vendor.url, **BOTH)
    assert "Using those of the last run that could read it." in caplog.text


def test_service_is_not_discovered_if_the_catalog_selects_nothing_of_it(run: Callable[..., Any], portal: Start) -> None:
    vendor = portal(described_portal(Response({}, 500), views_too=True))
    schema = {"type": "object", "properties": {"id": {"type": ["integer", "null"]}}}
    root = {"breadcrumb": [], "metadata": {"selected": True}}
    entry = {"tap_stream_id": "ou_types", "stream": "ou_types", "schema": schema, "metadata": [root]}
    assert run(vendor.url, catalog={"streams": [entry]}, **BOTH).counts() == {"ou_types": 1}
    assert not [path for path in vendor.paths() if path.endswith("$metadata")]
    entry = {**entry, "tap_stream_id": "things_core", "stream": "things_core"}
    vendor.respond = portal(described_portal(Response({}, 500))).respond
    assert run(vendor.url, catalog={"streams": [entry]}, **BOTH).counts() == {"things_core": 1}
    assert [path for path in vendor.paths() if path.endswith("$metadata")] == [
        "/services/api/x/dataexporter/api/objects/$metadata"
    ]


def test_temporary_html_page_in_place_of_metadata_is_requested_again(portal: Start) -> None:
    bodies = [b"<html><body>Maintenance<br></html>", b"<edmx:Edmx", EDMX.format("things_core").encode()]
    vendor = portal(lambda _: Response(bodies.pop(0)))
    assert "things_core" in discover_columns(vendor.url, objects=["*"], views=[])
