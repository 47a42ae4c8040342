"""The state names the account that it is of, and that of another one is rejected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from singer_rest import Account, RunError

if TYPE_CHECKING:
    from collections.abc import Callable

    from singer_rest.testing import Host, Output


@pytest.fixture
def set_account(monkeypatch: pytest.MonkeyPatch, make_tap: Callable[..., Any]) -> Callable[[str | None], None]:
    """Sets the account of the runs that follow."""
    tap = type(make_tap())
    monkeypatch.setattr(tap, "account", Account("shop", "`key`"))

    def set_account(account_id: str | None) -> None:
        monkeypatch.setattr(tap, "account_id", lambda _: account_id)

    return set_account


def account_ids(output: Output) -> dict[str, str | None]:
    return {name: part.get("shop") for name, part in output.state["bookmarks"].items()}


def test_the_state_names_the_account_before_anything_is_written(
    run: Callable[..., Output], set_account: Callable[[str | None], None]
) -> None:
    set_account("one")
    output = run("kinds", "owners")
    assert output.messages[0]["type"] == "STATE"
    assert {name: part["shop"] for name, part in output.messages[0]["value"]["bookmarks"].items()} == {
        "kinds": "one",
        "owners": "one",
    }
    again = run("kinds", "owners", state=output.state)
    assert account_ids(again) == {"kinds": "one", "owners": "one"}
    assert again.messages[0] == output.messages[-1]  # tells the loader where the run begins


def test_a_state_of_another_account_is_rejected_before_anything_is_read(
    run: Callable[..., Output], set_account: Callable[[str | None], None], vendor: Host
) -> None:
    set_account("one")
    first = run("kinds", "owners")
    vendor.requests.clear()
    set_account("two")
    fails: list[Exception] = []
    # Rows of a stream that is not selected would be mixed by a later run.
    second = run("owners", state={"bookmarks": {"owners": {}, "kinds": first.state["bookmarks"]["kinds"]}}, fails=fails)
    assert isinstance(fails[0], RunError)
    assert str(fails[0]).startswith("The state belongs to a different shop from that of `key`. Give each shop")
    assert (second.messages, vendor.requests) == ([], [])


def test_a_state_without_an_account_gets_one(
    run: Callable[..., Output], set_account: Callable[[str | None], None]
) -> None:
    set_account("one")
    bookmark = {"replication_key": "updated_at", "replication_key_value": "2026-01-02T12:00:00Z", "version": 7}
    output = run("owners", state={"bookmarks": {"owners": bookmark}})
    assert output.ids() == {"owners": ["3"]}
    assert account_ids(output) == {"owners": "one"}


def test_an_account_that_is_not_known_does_not_continue_the_state_of_one_that_is(
    run: Callable[..., Output], set_account: Callable[[str | None], None], caplog: pytest.LogCaptureFixture
) -> None:
    set_account(None)
    first = run("kinds")
    assert len(first.records("kinds")) == 3
    assert "does not name the shop of `key`, so the next run cannot tell" in caplog.text
    assert account_ids(run("kinds", state=first.state)) == {"kinds": None}
    set_account("one")
    known = run("kinds", state=first.state)
    set_account(None)
    fails: list[Exception] = []
    assert run("kinds", state=known.state, fails=fails).messages == []
    assert "does not name the shop of `key`, so the state may belong to a different one" in str(fails[0])


def test_a_tap_without_accounts_leaves_the_state_as_it_is(run: Callable[..., Output]) -> None:
    assert account_ids(run("kinds")) == {"kinds": None}
