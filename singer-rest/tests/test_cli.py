"""The command line: invalid input is reported with what to do and exit code 1, without the input itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from singer_rest.errors import describe_error
from singer_rest.privacy.pseudonyms import Pseudonyms
from singer_rest.testing import Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from singer_rest.testing import Host


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"key": ""}, "Set `key` (in the config, or as TAP_PETS_KEY in the environment)."),
        ({"key": "", "user": "jane"}, "Set `key`"),
        ({"key": 12345}, "Set `key` to a value of type string."),
        ({"only": "owners="}, "Set `only` to streams and ids such as persons=1,2"),
        ({"start_date": "garbage"}, "Set `start_date` to a date or date-time such as 2024-01-31"),
        ({"start_date": "2024-01-01", "end_date": "2023-01-01"}, "Set `end_date` to a date after `start_date`."),
        ({"api_url": "zoo"}, "Set `api_url` to an address such as https://host.example"),
        ({"api_url": "https://jane:pw@pets.example"}, "Set `api_url`"),
        ({"max_concurrency": 0}, "Set `max_concurrency` to a number from 1 to 64."),
        ({"max_concurrency": "many"}, "Set `max_concurrency` to a value of type integer."),
        ({"requests_per_minute": 0}, "Set `requests_per_minute`"),
        ({"max_wait": 0}, "Set `max_wait` to a number from 1 to 86400."),
        ({"on_missing_access": "garbage"}, "Set `on_missing_access` to one of: skip, fail"),
        ("{not json", "The file given with --config cannot be read as JSON."),
        ({"api_url": "http://.com"}, "Set `api_url`"),
        ({"api_url": "http://[::1"}, "Set `api_url`"),
        ({"api_url": "http://pets.example:99999999"}, "Set `api_url`"),
        ({"api_url": "http://pets example"}, "Set `api_url`"),
        ({"api_url": "https://pets.example/#x"}, "Set `api_url`"),
        ({"user_agent": "pets\nInjected: yes"}, "Set `user_agent` to plain ASCII text"),
        ({"start_date": "now"}, "Set `start_date` to a date"),
        ({"start_date": "10:30"}, "Set `start_date` to a date"),
        ({"start_date": "0001-01-01T00:00:00+05:00"}, "Set `start_date` to a date"),
        ({"end_date": "9999-12-31"}, "Set `end_date` to a date"),
        ({"stream_maps": {"kinds": {"id": "no such"}}}, "The stream maps cannot be applied."),
    ],
)
def test_invalid_settings_are_reported_in_one_sentence(cli: Callable[..., Any], config: Any, sentence: str) -> None:
    code, out, log = cli(config=config)
    errors = [line for line in log.splitlines() if "ERROR" in line]
    assert code == 1
    assert out == ""
    assert len(errors) == 1
    assert sentence in errors[0]
    assert "Traceback" not in log
    for value in config.values() if isinstance(config, dict) else ["{not json"]:
        assert not value or str(value) not in errors[0].replace("2024-01-31", "").replace("https://host.example", "")


@pytest.mark.parametrize("option", ["state", "catalog"])
@pytest.mark.parametrize("content", ["{not json", "[]", '"text"', ""])
def test_invalid_state_and_catalog_files_are_reported(cli: Callable[..., Any], option: str, content: str) -> None:
    code, out, log = cli(**{option: content})
    assert (code, out) == (1, "")
    assert f"The file given with --{option} is not a JSON object." in log
    assert "Traceback" not in log


@pytest.mark.parametrize("content", [{"streams": 5}, {"streams": [{}]}])
def test_invalid_catalog_is_reported(cli: Callable[..., Any], content: Any) -> None:
    code, out, log = cli(catalog=content)
    assert (code, out) == (1, "")
    assert "The file given with --catalog is not a Singer catalog." in log


def test_environment_variable_of_another_type_is_reported_without_its_value(
    cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAP_PETS_MAX_CONCURRENCY", "many")
    code, _, log = cli("--config=ENV")
    assert code == 1
    assert "Set `max_concurrency` (TAP_PETS_MAX_CONCURRENCY in the environment) to a value of type integer." in log
    assert "many" not in log


@pytest.mark.parametrize("value", ["1.5", "1e2", "null", ""])
def test_environment_variable_that_is_not_an_integer_is_reported(
    cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("TAP_PETS_MAX_CONCURRENCY", value)
    code, _, log = cli("--config=ENV")
    assert code == 1
    assert "Set `max_concurrency` (TAP_PETS_MAX_CONCURRENCY in the environment) to a value of type integer." in log


def test_environment_variable_that_is_not_read_is_reported(
    cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAP_PETS_KEY", "k3y")
    code, _, log = cli(config={"key": ""})
    assert code == 1
    assert "Set `key`: TAP_PETS_KEY is set in the environment, but is read only with --config=ENV." in log


def test_null_setting_has_its_default(cli: Callable[..., Any]) -> None:
    code, out, _ = cli(config={"max_concurrency": None, "request_timeout": None, "optional_streams": None})
    assert code == 0
    assert '"RECORD"' in out


@pytest.mark.parametrize(
    ("setting", "advice"),
    [
        ("start_dat", "Did you mean `start_date`?"),
        ("max_concurency", "Did you mean `max_concurrency`?"),
        ("flatening_enabled", "Did you mean `flattening_enabled`?"),
        ("colour", "See all settings with `tap-pets --about`."),
    ],
)
def test_unknown_setting_is_named_without_its_value(cli: Callable[..., Any], setting: str, advice: str) -> None:
    code, _, log = cli(config={setting: "2019-07-01"})
    assert code == 0
    assert log.count(f"There is no setting `{setting}`; it has no effect. {advice}") == 1
    assert "2019-07-01" not in log


def test_settings_of_the_sdk_and_meltano_are_known(cli: Callable[..., Any]) -> None:
    settings = {"stream_maps": {}, "stream_map_config": {}, "flattening_enabled": False, "faker_config": {}}
    _, _, log = cli(config={**settings, "batch_config": None, "_select": ["*.*"]})
    assert "There is no setting" not in log


def test_unknown_environment_variable_is_named(cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAP_PETS_START_DAT", "2019-07-01")
    monkeypatch.setenv("TAP_PETS__LOAD_SCHEMA", "pets")
    assert "There is no setting" not in cli()[2]
    _, _, log = cli("--config=ENV")
    assert "no setting `TAP_PETS_START_DAT`; it has no effect. Did you mean `TAP_PETS_START_DATE`?" in log
    assert log.count("There is no setting") == 1


def test_state_of_another_tap_is_rejected(cli: Callable[..., Any]) -> None:
    code, _, log = cli(state={"bookmarks": {"dogs": {"replication_key_value": "rex"}}})
    assert code == 1
    assert "belong to another tap" in log
    assert "rex" not in log


def test_catalog_that_selects_nothing_is_reported(cli: Callable[..., Any]) -> None:
    code, out, log = cli(catalog={"streams": []})
    assert (code, out) == (1, "")
    assert "No stream is selected" in log


def test_missing_config_file_is_reported(cli: Callable[..., Any]) -> None:
    code, _, log = cli("--config", "/nowhere/config.json")
    assert code == 1
    assert "The file given with --config does not exist." in log


def test_unreachable_host_is_reported_without_its_address(cli: Callable[..., Any]) -> None:
    code, _, log = cli(config={"api_url": "http://127.0.0.1:9"})
    assert code == 1
    assert (
        "gave no usable response in 3 attempts (the host cannot be reached; check the addresses in the settings)" in log
    )
    assert "127.0.0.1" not in log


def test_unexpected_error_is_reported_with_type_and_location_but_without_its_text(
    cli: Callable[..., Any], shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def parse(*_: object) -> None:
        raise KeyError("Jane Doe")

    monkeypatch.setattr("singer_rest.stream.RestStream.fetch", parse)
    code, _, log = cli()
    assert code == 1
    assert "Unexpected KeyError" in log
    assert "test_cli.py:" in log
    assert "Jane" not in log
    assert "Traceback" not in log


def test_discovery_needs_neither_credentials_nor_network(cli: Callable[..., Any], vendor: Host) -> None:
    code, out, _ = cli("--discover", config={"key": None, "api_url": "http://127.0.0.1:9", "start_date": "garbage"})
    assert code == 0
    assert [stream["tap_stream_id"] for stream in json.loads(out)["streams"]] == ["kinds", "owners", "pets", "sales"]
    assert vendor.requests == []


def test_connection_test_reports_errors(cli: Callable[..., Any], shop: Any) -> None:
    shop.before = lambda request: Response({}, 418)
    code, _, log = cli("--test")
    assert code == 1
    assert "status 418" in log
    assert "Traceback" not in log


def test_about_marks_secrets(cli: Callable[..., Any]) -> None:
    code, out, _ = cli("--about", "--format=json")
    assert code == 0
    settings = json.loads(out)["settings"]["properties"]
    assert settings["key"]["secret"]
    assert settings["password"]["secret"]


def test_tap_error_is_its_own_message() -> None:
    assert "KeyError" in describe_error(KeyError("x"))
    assert "'x'" not in describe_error(KeyError("x"))


def test_failed_stream_does_not_stop_others_and_is_named_with_exit_code_1(cli: Callable[..., Any], shop: Any) -> None:
    shop.refusals["/kinds"] = Response({}, 418)
    code, out, log = cli(config={"end_date": "2026-03-31"})
    assert code == 1
    assert {line["stream"] for line in map(json.loads, out.splitlines()) if line["type"] == "RECORD"} == {
        "owners",
        "pets",
        "sales",
    }
    assert "1 of 4 streams failed: kinds." in log.splitlines()[-1]


def test_pseudonyms_are_printed_without_credentials(
    cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, vendor: Host
) -> None:
    key = "k" * 32
    monkeypatch.setattr("sys.stdin", ["jo@pets.example\n", "\n", "Jane@pets.example\n"])
    code, out, log = cli("--pseudonym", "jane@pets.example", "--pseudonym", "-", config={"key": "", "privacy_key": key})
    expected = [str(Pseudonyms(key.encode(), "").space("email").of(f"{name}@pets.example")) for name in ("jane", "jo")]
    assert (code, out.split()) == (0, [expected[0], expected[1], expected[0]])
    assert "pets.example" not in log
    assert not vendor.requests
    code, out, log = cli("--pseudonym", "jane@pets.example", config={"key": "secret"})
    assert (code, out) == (1, "")
    assert "needs a key" in log
