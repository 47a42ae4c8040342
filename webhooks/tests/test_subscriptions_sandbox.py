"""The sub-commands that speak with the vendors, against the sandbox and a receiver."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hr_webhooks.events import read_events
from hr_webhooks.testing import running as running_receiver
from hr_webhooks.testing import wait_until

if TYPE_CHECKING:
    from conftest import Connected

pytestmark = pytest.mark.slow


def test_events_arrive_while_secrets_are_rotated_until_unsubscribed(connected: Connected) -> None:
    sandbox, run = connected.sandbox, connected.installation.run
    with running_receiver(connected.config, "--listen", connected.listen):
        connected.subscribe()
        before = {vendor: connected.installation.secrets(vendor) for vendor in ("personio", "factorial")}
        sandbox.control("burst", changes=200, per_second=200)
        for vendor, former in before.items():
            assert run("check", "--vendor", vendor)[0] == 0
            assert run("rotate", "--vendor", vendor)[0] == 0
            assert connected.installation.secrets(vendor)[1:] == former
        sandbox.control("hire")
        wait_until(lambda: sandbox.control("push-counts")["burst"]["done"] == 200)
        connected.wait_until_delivered()
        deliveries = sandbox.control("pushes")["deliveries"]
        assert {push["state"] for push in deliveries} == {"delivered"}
        assert {push["tries"] for push in deliveries} == {1}
        types = {event.type for entry in connected.journal.read(0) for event in read_events(entry)}
        assert {"employees/employee/create_with_contract", "person.created", "EmployeeCreated"} < types
        for vendor in before:
            assert run("rotate", "--finish", "--now", "--vendor", vendor)[0] == 0
            assert run("unsubscribe", "--vendor", vendor)[1].startswith(f"acme {vendor}: 1 subscriptions deleted")
            assert run("check", "--vendor", vendor)[0] == 1
        arrived = connected.journal.last_position()
        sandbox.control("hire")
        connected.wait_until_delivered()
        assert {entry.vendor for entry in connected.journal.read(arrived)} == {"cornerstone"}


def test_a_login_of_factorial_shares_the_token_file_of_the_tap(
    connected: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    refresh_token = connected.sandbox.control("factorial/login")["refresh_token"]
    file = connected.installation.folder / "tokens.json"
    monkeypatch.delenv("TAP_FACTORIAL_API_KEY")
    for name, value in {
        "CLIENT_ID": "sandbox-client",
        "CLIENT_SECRET": "sandbox-secret",
        "REFRESH_TOKEN": refresh_token,
        "TOKEN_FILE": str(file),
    }.items():
        monkeypatch.setenv(f"TAP_FACTORIAL_{name}", value)
    tokens = []
    for command in ("subscribe", "check"):  # a refresh token that is used twice would end the login
        connected.sandbox.control("expire-tokens", vendor="factorial")
        code, output, errors = connected.installation.run(command, "--vendor", "factorial")
        assert (code, errors) == (0, "")
        tokens.append(json.loads(file.read_text())["refresh_token"])
        assert tokens[-1] not in output
    assert len({refresh_token, *tokens}) == 3
