"""The sub-commands that speak with the vendors, against vendors that refuse what the real ones refuse."""

from __future__ import annotations

import json
import os
import stat
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from hr_webhooks.addresses import Address
from hr_webhooks.entries import make_entry
from hr_webhooks.heard import Heard
from hr_webhooks.subscriptions.factorial import CREATIONS
from hr_webhooks.subscriptions.personio import EVENTS
from singer_rest import RateLimiter

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Factorial, Installation, Personio


def subscribe(installation: Installation, vendor: str, *arguments: str) -> tuple[int, str, str]:
    """Subscribes without a test event."""
    return installation.run("subscribe", "--vendor", vendor, "--wait", "0", *arguments)


def only_row(vendor: Any) -> dict[str, Any]:
    """Returns the only subscription of a vendor."""
    (row,) = vendor.rows.values()
    return dict(row)


def test_personio_gets_an_enabled_webhook_for_all_events(installation: Installation, personio: Personio) -> None:
    code, output, _ = subscribe(installation, "personio")
    assert code == 0
    assert "webhook for 20 events: created" in output
    row = only_row(personio)
    (secret,) = installation.secrets("personio")
    assert len(secret) >= 43
    assert row["status"] == "ENABLED"
    assert row["auth_type"] == "TOKEN"
    assert row["token"] == secret
    assert set(row["enabled_events"]) == EVENTS
    assert row["url"] in installation.run("addresses")[1]
    assert stat.S_IMODE((installation.folder / "personio").stat().st_mode) == 0o600


def test_subscribing_again_changes_nothing(
    installation: Installation, personio: Personio, factorial: Factorial
) -> None:
    for vendor, running in (("personio", personio), ("factorial", factorial)):
        subscribe(installation, vendor)
        before, running.writes = {**running.rows}, []
        code, output, _ = subscribe(installation, vendor)
        assert code == 0
        assert "as it should be" in output
        assert running.writes == []
        assert running.rows == before


def test_the_events_are_those_of_the_configuration(installation: Installation, personio: Personio) -> None:
    settings = installation.settings["tenants"]["acme"]["personio"]
    settings |= {"events": ["person.created", "person.deleted"], "header": "X-Hook"}
    installation.write()
    assert subscribe(installation, "personio")[0] == 0
    row = only_row(personio)
    assert row["enabled_events"] == ["person.created", "person.deleted"]
    assert row["auth_type"] == "CUSTOM"
    assert row["custom_headers"] == {"X-Hook": installation.secrets("personio")[0]}
    assert "token" not in row
    assert installation.run("check", "--vendor", "personio")[0] == 0


def test_a_webhook_that_is_switched_off_at_first_is_switched_on(installation: Installation, personio: Personio) -> None:
    personio.is_stubborn = True
    assert subscribe(installation, "personio")[0] == 0
    assert only_row(personio)["status"] == "ENABLED"


@pytest.mark.parametrize("vendor", ["personio", "factorial"])
def test_a_lost_response_makes_no_double(
    installation: Installation, personio: Personio, factorial: Factorial, vendor: str
) -> None:
    running: Any = {"personio": personio, "factorial": factorial}[vendor]
    running.loses = {"POST"}
    assert subscribe(installation, vendor)[0] == 0
    assert len(running.rows) == {"personio": 1, "factorial": 2}[vendor]
    assert running.loses == set()
    assert [method for method, _ in running.writes] == ["POST"] * len(running.rows)


@pytest.mark.parametrize(
    ("vendor", "names"), [("personio", ["personio:webhooks:write", "hr-webhooks sync"]), ("factorial", ["API key"])]
)
def test_a_missing_permission_is_named_with_what_still_works(
    installation: Installation, personio: Personio, factorial: Factorial, vendor: str, names: list[str]
) -> None:
    for running in (personio, factorial):
        running.may_write = False
    code, output, errors = subscribe(installation, vendor)
    assert code == 1
    for name in names:
        assert name in output + errors


def test_what_differs_is_found_and_repaired(installation: Installation, personio: Personio) -> None:
    subscribe(installation, "personio")
    before = only_row(personio)
    code, output, _ = installation.run("check", "--vendor", "personio")
    assert (code, "ACTION" in output) == (0, False)
    for change, text in (
        ({"status": "DISABLED"}, "switched off"),
        ({"enabled_events": ["person.created"]}, "lacks absence-period.created"),
        ({"enabled_events": [*EVENTS, "person.renamed"]}, "also has person.renamed"),
        ({"token": "another"}, "another secret"),
        ({"url": before["url"][:-4] + "aaaa"}, "address is not the newest"),
    ):
        personio.rows["wh-1"] = before | change
        code, output, _ = installation.run("check", "--vendor", "personio")
        assert code == 1
        assert text in output
        assert "hr-webhooks subscribe" in output
        code, output, _ = subscribe(installation, "personio")
        assert code == 0
        assert text in output
        assert only_row(personio) == before | {"enabled_events": sorted(EVENTS)}


def test_a_webhook_on_another_host_is_only_taken_over_if_asked(installation: Installation, personio: Personio) -> None:
    subscribe(installation, "personio")
    installation.write(public_url="https://new.example.com/hooks")
    code, output, _ = subscribe(installation, "personio")
    assert code == 1
    assert "hooks.example.com" in output
    assert "--take-over" in installation.run("check", "--vendor", "personio")[1]
    assert only_row(personio)["url"].startswith("https://hooks.example.com/personio")
    assert subscribe(installation, "personio", "--take-over")[0] == 0
    assert only_row(personio)["url"].startswith("https://new.example.com/hooks/personio/acme/")


def test_only_our_own_are_deleted(installation: Installation, personio: Personio) -> None:
    other = {"id": "other", "url": "https://[hooks.example.com/other", "status": "ENABLED", "enabled_events": ["a.b"]}
    personio.rows["other"] = other | {"auth_type": "TOKEN", "token": "theirs"}
    subscribe(installation, "personio")
    double = next(row for key, row in personio.rows.items() if key != "other")
    personio.rows["double"] = {**double, "id": "double"}
    assert "exists 2 times" in installation.run("check", "--vendor", "personio")[1]
    assert "1 more of ours deleted" in subscribe(installation, "personio")[1]
    assert len(personio.rows) == 2
    code, output, _ = installation.run("list", "--vendor", "personio")
    assert code == 0
    assert output.count("ours") == output.count("of another program") == 1
    assert double["url"].rpartition("/")[2] not in output
    assert "1 subscriptions deleted, 1 kept" in installation.run("unsubscribe", "--vendor", "personio")[1]
    assert list(personio.rows) == ["other"]


def test_an_address_that_no_vendor_calls_is_refused(installation: Installation, personio: Personio) -> None:
    installation.write(public_url="http://hooks.example.com")
    assert "https://" in subscribe(installation, "personio")[2]
    assert personio.writes == []
    installation.write(public_url="http://127.0.0.1:8700")
    assert subscribe(installation, "personio")[0] == 0


def test_a_test_event_is_awaited(installation: Installation, personio: Personio) -> None:
    ping = make_entry(b'{"event_name": "ping"}', tenant="acme", vendor="personio")
    elsewhere = make_entry(b"{}", tenant="other", vendor="personio")
    journal = installation.journal
    personio.on_ping = lambda: journal.append([elsewhere, ping])
    code, output, _ = installation.run("subscribe", "--vendor", "personio")
    assert (code, "the test event has arrived" in output) == (0, True)
    personio.on_ping = lambda: journal.append([elsewhere])
    code, _, errors = installation.run("subscribe", "--vendor", "personio", "--wait", "0.2")
    assert code == 1
    assert "No test event has arrived within 0.2 s" in errors


@pytest.mark.parametrize("vendor", ["personio", "factorial"])
def test_a_rotation_keeps_both_secrets_valid_until_it_is_finished(
    installation: Installation, personio: Personio, factorial: Factorial, vendor: str
) -> None:
    running: Any = {"personio": personio, "factorial": factorial}[vendor]
    name = {"personio": "token", "factorial": "challenge"}[vendor]
    subscribe(installation, vendor)
    (first,) = installation.secrets(vendor)
    before = [{**row} for row in running.rows.values()]
    running.may_write = False  # as if the command was killed before the vendor has answered
    assert installation.run("rotate", "--vendor", vendor)[0] == 1
    second, former = installation.secrets(vendor)
    assert former == first != second
    assert "ACTION" in installation.run("check", "--vendor", vendor)[1]
    assert "still sends the former" in installation.run("rotate", "--finish", "--now", "--vendor", vendor)[2]
    running.may_write, running.writes = True, []
    code, output, _ = installation.run("rotate", "--vendor", vendor)
    assert code == 0
    assert "must stay valid until" in output
    assert installation.secrets(vendor) == [second, former]
    assert [*running.rows.values()] == [row | {name: second} for row in before]
    assert all(body.keys() <= {"id", name, "auth_type"} for _, body in running.writes)
    assert "Remove it first" in installation.run("rotate", "--vendor", vendor)[2]
    assert "may repeat requests" in installation.run("rotate", "--finish", "--vendor", vendor)[2]
    assert installation.run("check", "--vendor", vendor)[0] == 0
    path = installation.folder / vendor
    days = path.stat().st_mtime - 7 * 86_400
    os.utime(path, (days, days))
    assert "rotate --finish" in installation.run("check", "--vendor", vendor)[1]
    assert installation.run("rotate", "--finish", "--vendor", vendor)[0] == 0
    assert installation.secrets(vendor) == [second]


def test_secrets_of_the_environment_are_not_rotated(
    installation: Installation, personio: Personio, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation.settings["tenants"]["acme"]["personio"] = {"secret_env": ["HOOK_SECRET"]}
    installation.write()
    assert "instead of HOOK_SECRET" in subscribe(installation, "personio")[2]
    monkeypatch.setenv("HOOK_SECRET", "s" * 40)
    assert subscribe(installation, "personio")[0] == 0
    assert only_row(personio)["token"] == "s" * 40
    assert "instead of HOOK_SECRET" in installation.run("rotate", "--vendor", "personio")[2]


def test_a_rotation_leaves_two_secrets_however_many_files_there_are(
    installation: Installation, personio: Personio, tmp_path: Path
) -> None:
    installation.settings["tenants"]["acme"]["personio"]["secret_files"] = ["personio", "second"]
    installation.write()
    (tmp_path / "second").write_text("an-earlier-secret-of-ours\n")
    (tmp_path / "second").chmod(0o600)
    assert subscribe(installation, "personio")[0] == 0
    assert only_row(personio)["token"] == "an-earlier-secret-of-ours"
    assert installation.run("rotate", "--vendor", "personio")[0] == 0
    assert installation.secrets("personio") == [only_row(personio)["token"]]
    assert (tmp_path / "second").read_text() == "an-earlier-secret-of-ours\n"
    assert installation.run("rotate", "--finish", "--now", "--vendor", "personio")[0] == 0
    assert installation.secrets("personio") == [only_row(personio)["token"]]
    assert not (tmp_path / "second").exists()


@pytest.mark.parametrize(("version", "company"), [("2026-10-01", "55"), ("2026-04-01", 55)])
def test_factorial_gets_a_subscription_for_each_type(
    installation: Installation, factorial: Factorial, monkeypatch: pytest.MonkeyPatch, version: str, company: Any
) -> None:
    factorial.version, factorial.company = version, company
    monkeypatch.setenv("TAP_FACTORIAL_API_VERSION", version)
    assert subscribe(installation, "factorial")[0] == 0
    (secret,) = installation.secrets("factorial")
    urls = {line.split("\t")[2]: line.split("\t")[3] for line in installation.run("addresses")[1].splitlines()}
    for row in factorial.rows.values():
        assert row["target_url"] == urls[row["type"]]
        assert (row["challenge"], row["enabled"], row["api_version"]) == (secret, True, version)
        assert row["company_id"] == company
    assert len(factorial.rows) == 2
    code, output, _ = installation.run("unsubscribe", "--vendor", "factorial")
    assert (code, factorial.rows) == (0, {})
    assert "2 subscriptions deleted" in output


def test_a_subscription_that_factorial_switched_off_is_switched_on(
    installation: Installation, factorial: Factorial
) -> None:
    subscribe(installation, "factorial")
    for row in factorial.rows.values():
        row["enabled"] = False
    factorial.writes = []
    code, output, _ = installation.run("check", "--vendor", "factorial", "--json")
    found = [finding for finding in json.loads(output) if finding["needs_action"]]
    assert code == 1
    assert len(found) == 2
    assert all("switched off" in finding["text"] and finding["tenant"] == "acme" for finding in found)
    assert installation.run("check", "--vendor", "factorial", "--enable")[0] == 0
    assert [body.keys() for _, body in factorial.writes] == [{"id", "enabled"}] * 2


def test_a_type_of_another_program_is_only_taken_over_if_asked(
    installation: Installation, factorial: Factorial
) -> None:
    theirs = {
        "id": "7",
        "company_id": "55",
        "type": "timeoff/leave/create",
        "target_url": "https://theirs.example.com/x",
    }
    factorial.rows["7"] = theirs | {"enabled": True, "challenge": "theirs", "api_version": "2026-10-01"}
    before = {**factorial.rows["7"]}
    code, output, _ = subscribe(installation, "factorial")
    assert code == 1
    assert "another program sends to theirs.example.com" in output
    assert "employees/employee/update: created" in output
    assert "another program" in installation.run("check", "--vendor", "factorial")[1]
    assert factorial.rows["7"] == before
    factorial.hides_others = True  # the vendor refuses what it does not list
    assert "refuses the subscription to timeoff/leave/create (status 422)" in subscribe(installation, "factorial")[1]
    factorial.hides_others = False
    assert subscribe(installation, "factorial", "--take-over")[0] == 0
    assert factorial.rows["7"]["target_url"].startswith(
        "https://hooks.example.com/factorial/acme/timeoff/leave/create/"
    )


def test_types_that_are_not_configured_any_more_are_found(installation: Installation, factorial: Factorial) -> None:
    subscribe(installation, "factorial")
    installation.settings["tenants"]["acme"]["factorial"]["types"] = ["timeoff/leave/create", "nonsense/x/create"]
    installation.write()
    code, output, _ = subscribe(installation, "factorial")
    assert code == 1
    assert "nonsense/x/create: Factorial refuses" in output
    assert "timeoff/leave/create: as it should be" in output
    assert "employees/employee/update" in installation.run("check", "--vendor", "factorial")[1]
    assert "1 subscriptions deleted" in installation.run("unsubscribe", "--surplus", "--vendor", "factorial")[1]
    assert [row["type"] for row in factorial.rows.values()] == ["timeoff/leave/create"]


def test_no_minute_has_more_than_200_creations() -> None:
    now = 0.0
    limiter = RateLimiter({"": CREATIONS}, clock=lambda: now)
    sent: list[float] = []
    while len(sent) < 1000:
        if seconds := limiter.acquire("path"):
            now += seconds
        else:
            sent.append(now)
    assert max(sum(at <= other < at + 60 for other in sent) for at in sent) <= 200
    assert sent[-1] < 360


def test_the_steps_for_cornerstone_name_the_url_and_the_file(installation: Installation) -> None:
    (url,) = [
        line.split("\t")[3] for line in installation.run("addresses")[1].splitlines() if "\tcornerstone\t" in line
    ]
    code, output, _ = subscribe(installation, "cornerstone")
    assert code == 0
    for text in (url, str(installation.folder / "cornerstone"), "Create and Verify", "Create and Start"):
        assert text in output
    (installation.folder / "cornerstone").write_text("the-key-of-cornerstone\n")
    (installation.folder / "cornerstone").chmod(0o600)
    assert "first line" in installation.run("rotate", "--vendor", "cornerstone")[1]
    assert "not on this machine" in installation.run("check", "--vendor", "cornerstone")[1]
    heard = Heard(installation.journal.folder)
    assert "ACTION: Nothing has arrived yet" in installation.run("check", "--vendor", "cornerstone")[1]
    for minutes, code in ((16, 1), (4, 0)):
        heard.note(Address("acme", "cornerstone"), "heartbeat", time.time() - minutes * 60)
        heard.save()
        assert installation.run("check", "--vendor", "cornerstone")[0] == code


def test_the_environment_is_not_used_for_several_tenants(
    installation: Installation, personio: Personio, tmp_path: Path
) -> None:
    tenants = installation.settings["tenants"]
    tenants["other"] = {"personio": {"secret_files": ["other-secret"]}}
    installation.write()
    code, _, errors = subscribe(installation, "personio")
    assert code == 1
    assert errors.count("Several tenants use personio") == 2
    assert personio.rows == {}
    credentials = {"client_id": "id", "api_url": personio.url}
    (tmp_path / "secret").write_text("hush\n")
    (tmp_path / "secret").chmod(0o600)
    tenants["other"]["personio"]["api"] = credentials | {"client_secret_file": "secret"}
    installation.write()
    assert subscribe(installation, "personio", "--tenant", "other")[0] == 0
    (tmp_path / "tap.json").write_text(json.dumps(credentials | {"client_secret": "hush"}))
    arguments = ("--tenant", "acme", "--tap-config", str(tmp_path / "tap.json"))
    assert subscribe(installation, "personio", *arguments)[0] == 0
    assert sorted(row["description"] for row in personio.rows.values()) == ["hr-webhooks acme", "hr-webhooks other"]


def test_what_is_wrong_with_the_settings_is_one_sentence(
    installation: Installation, personio: Personio, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "no such tenant" in installation.run("list", "--tenant", "none")[2]
    assert "--tap-config" in installation.run("list", "--tap-config", "x.json")[2]
    assert "cannot be read as JSON" in installation.run("list", "--vendor", "personio", "--tap-config", "x.json")[2]
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "tap_personio.tap", None)
        assert "hr-webhooks[subscriptions]" in installation.run("list", "--vendor", "personio")[2]
    monkeypatch.setenv("TAP_PERSONIO_CLIENT_SECRET", "wrong")
    assert "rejects the credentials" in installation.run("list", "--vendor", "personio")[2]
    monkeypatch.delenv("TAP_PERSONIO_CLIENT_SECRET")
    assert "TAP_PERSONIO_CLIENT_SECRET" in installation.run("list", "--vendor", "personio")[2]
