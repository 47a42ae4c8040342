"""Rotating refresh tokens: saved, shared, never lost, never shown."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from singer_rest import RunError
from singer_rest.errors import RetryableError
from singer_rest.http.token_file import RefreshingAuthenticator, TokenChain, TokenFile, TokenGrant, save_login
from singer_rest.testing import run_with_timeout

if TYPE_CHECKING:
    from pathlib import Path


class Vendor:
    """Accepts each refresh token once; a second use ends the chain."""

    def __init__(self, first: str = "pasted-0") -> None:
        self.good = first
        self.spent = 0
        self.lock = threading.Lock()

    def exchange(self, refresh_token: str) -> TokenGrant:
        with self.lock:
            if refresh_token != self.good:
                raise RunError("Log in again.")
            self.spent += 1
            self.good = f"refresh-{self.spent}"
            return TokenGrant(f"access-{self.spent}", 3600.0, self.good)


class Tap(RefreshingAuthenticator):
    """One run of a tap."""

    def __init__(
        self,
        path: Path,
        vendor: Vendor,
        configured: str | None = "pasted-0",
        now: float = 1000.0,
        issuer: str = "https://a",
    ) -> None:
        super().__init__(TokenFile(path), configured, issuer, now=lambda: now)
        self.vendor = vendor

    def exchange_refresh_token(self, chain: TokenChain) -> TokenGrant:
        return self.vendor.exchange(chain.refresh_token)

    def login_error(self) -> RunError:
        return RunError("Log in first.")


@pytest.fixture
def token_path(tmp_path: Path) -> Path:
    return tmp_path / "secrets" / "tap.json"


def test_next_run_uses_the_file_although_the_settings_have_the_first_token(token_path: Path) -> None:
    vendor = Vendor()
    assert Tap(token_path, vendor).token().value == "access-1"
    assert Tap(token_path, vendor, now=90_000.0).token().value == "access-2"
    assert Tap(token_path, vendor, configured=None, now=180_000.0).token().value == "access-3"


def test_valid_token_is_reused_without_a_token_request(token_path: Path) -> None:
    vendor = Vendor()
    Tap(token_path, vendor).token()
    later = Tap(token_path, vendor, now=2000.0)
    assert later.token().value == "access-1"
    assert vendor.spent == 1
    assert later.token().lifetime == 2600.0


def test_401_renews_even_an_unexpired_token(token_path: Path) -> None:
    vendor = Vendor()
    Tap(token_path, vendor).token()
    tap = Tap(token_path, vendor)
    renewed = tap.renew_token("/a", tap.token())
    assert renewed is not None
    assert renewed.value == "access-2"


def test_newly_configured_token_takes_precedence_and_the_old_one_does_not_return(token_path: Path) -> None:
    old, new = Vendor(), Vendor("pasted-1")
    Tap(token_path, old).token()
    assert Tap(token_path, new, configured="pasted-1").token().value == "access-1"
    assert new.spent == 1
    assert Tap(token_path, new, configured="pasted-1", now=90_000.0).token().value == "access-2"


def test_next_token_is_saved_before_the_access_token_is_used(token_path: Path) -> None:
    vendor = Vendor()
    Tap(token_path, vendor).token()  # and the run crashes before its first page
    assert TokenFile(token_path).read() == TokenChain(
        json.loads(token_path.read_bytes())["began_with"], "refresh-1", 1000.0, "access-1", 4600.0, "https://a"
    )


def test_run_killed_between_write_and_rename_loses_nothing(token_path: Path) -> None:
    vendor = Vendor()
    Tap(token_path, vendor).token()
    Tap(token_path, vendor, now=90_000.0).token()
    written = token_path.read_bytes()
    token_path.with_name("tap.json.next").write_bytes(written)
    token_path.write_bytes(written.replace(b"refresh-2", b"refresh-1").replace(b"access-2", b"access-1"))
    assert Tap(token_path, vendor, now=180_000.0).token().value == "access-3"


def test_run_killed_before_the_response_leaves_the_old_token(token_path: Path) -> None:
    vendor = Vendor()
    Tap(token_path, vendor).token()
    token_path.with_name("tap.json.next").write_bytes(b" " * 100)
    assert Tap(token_path, vendor, now=90_000.0).token().value == "access-2"


def test_rejected_refresh_leaves_the_file(token_path: Path) -> None:
    Tap(token_path, Vendor()).token()
    before = token_path.read_bytes()
    with pytest.raises(RunError, match="Log in again"):
        Tap(token_path, Vendor("another"), now=90_000.0).token()
    assert token_path.read_bytes() == before
    assert sorted(file.name for file in token_path.parent.iterdir() if file.suffix != ".lock") == ["tap.json"]


def test_missing_token_reports_how_to_log_in(token_path: Path) -> None:
    with pytest.raises(RunError, match="Log in first"):
        Tap(token_path, Vendor(), configured=None).token()


def test_file_and_directory_are_private(token_path: Path) -> None:
    Tap(token_path, Vendor()).token()
    assert stat.S_IMODE(token_path.stat().st_mode) == 0o600
    assert stat.S_IMODE(token_path.parent.stat().st_mode) == 0o700


def test_configured_token_is_not_in_the_file(token_path: Path) -> None:
    Tap(token_path, Vendor()).token()
    assert b"pasted-0" not in token_path.read_bytes()


def test_token_is_hidden_in_its_repr() -> None:
    assert "secret" not in repr(TokenGrant("secret", 1.0, "secret"))
    assert "secret" not in repr(TokenChain("", "secret", 0.0, "secret"))


def test_unreadable_file_is_reported_without_its_content(token_path: Path) -> None:
    token_path.parent.mkdir()
    token_path.write_text('{"refresh_token": "secret"')
    with pytest.raises(RunError, match="Remove it, and log in again") as error:
        Tap(token_path, Vendor()).token()
    assert "secret" not in str(error.value)


def test_no_token_is_used_if_its_successor_cannot_be_saved(token_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    vendor = Vendor()
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match="no token was used"):
        Tap(token_path, vendor).token()
    assert vendor.spent == 0


def test_unwritable_directory_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="Set `token_file`"):
        Tap(tmp_path / "file" / "tap.json", Vendor()).token()


def save_login_of(
    path: Path, grant: TokenGrant, configured: str | None = None, issuer: str = "https://a"
) -> TokenChain:
    return save_login(TokenFile(path), lambda: grant, configured, issuer, now=lambda: 1000.0)


def test_login_without_configured_token_is_used_and_continues_as_a_chain(token_path: Path) -> None:
    vendor = Vendor("login-0")
    save_login_of(token_path, TokenGrant("access-0", 3600.0, "login-0"))
    assert Tap(token_path, vendor, configured=None).token().value == "access-0"
    assert Tap(token_path, vendor, configured=None, now=90_000.0).token().value == "access-1"


@pytest.mark.parametrize("given", ["pasted-0", None], ids=["with the settings", "without the settings"])
def test_login_replaces_the_setting_and_a_later_token_replaces_the_login(token_path: Path, given: str | None) -> None:
    Tap(token_path, Vendor()).token()
    save_login_of(token_path, TokenGrant("access-0", 3600.0, "login-0"), configured=given)
    assert Tap(token_path, Vendor(), configured="pasted-0").token().value == "access-0"
    assert Tap(token_path, Vendor("login-0"), configured="pasted-0", now=90_000.0).token().value == "access-1"
    assert Tap(token_path, Vendor("pasted-1"), configured="pasted-1", now=90_000.0).token().value == "access-1"


def test_token_configured_after_a_login_without_settings_takes_precedence(token_path: Path) -> None:
    save_login_of(token_path, TokenGrant("access-0", 3600.0, "login-0"))
    assert Tap(token_path, Vendor("pasted-1"), configured="pasted-1").token().value == "access-1"


def test_token_without_expiry_is_kept_and_used_at_any_time(token_path: Path) -> None:
    save_login_of(token_path, TokenGrant("company", None))
    token = Tap(token_path, Vendor(), configured=None, now=1e9).token()
    assert (token.value, token.lifetime) == ("company", float("inf"))


def test_401_of_a_token_that_cannot_be_renewed_fails_without_a_request(token_path: Path) -> None:
    vendor = Vendor("")
    save_login_of(token_path, TokenGrant("company", None))
    tap = Tap(token_path, vendor, configured=None)
    with pytest.raises(RunError, match="Log in first"):
        tap.renew_token("/a", tap.token())
    assert vendor.spent == 0


def test_token_without_a_successor_expires(token_path: Path) -> None:
    vendor = Vendor("")
    save_login_of(token_path, TokenGrant("an-hour", 3600.0))
    assert Tap(token_path, vendor, configured=None, now=2000.0).token().value == "an-hour"
    with pytest.raises(RunError, match="Log in first"):
        Tap(token_path, vendor, configured=None, now=5000.0).token()
    assert vendor.spent == 0


def test_login_during_a_run_is_used_by_the_run(token_path: Path) -> None:
    save_login_of(token_path, TokenGrant("company", None))
    tap = Tap(token_path, Vendor(), configured=None)
    old = tap.token()
    save_login_of(token_path, TokenGrant("another", None))
    renewed = tap.renew_token("/a", old)
    assert renewed is not None
    assert renewed.value == "another"


def test_refresh_with_a_token_without_expiry_keeps_the_refresh_token(token_path: Path) -> None:
    class Endless(Vendor):
        def exchange(self, refresh_token: str) -> TokenGrant:
            return TokenGrant(super().exchange(refresh_token).access_token, None, self.good)

    vendor = Endless()
    assert Tap(token_path, vendor).token().lifetime == float("inf")
    later = Tap(token_path, vendor, now=90_000.0)
    assert later.token().value == "access-1"
    renewed = later.renew_token("/a", later.token())
    assert renewed is not None
    assert renewed.value == "access-2"


def test_failed_login_leaves_the_file(token_path: Path) -> None:
    def refused() -> TokenGrant:
        raise RunError("refused")

    Tap(token_path, Vendor()).token()
    before = token_path.read_bytes()
    with pytest.raises(RunError, match="refused"):
        save_login(TokenFile(token_path), refused, None)
    assert token_path.read_bytes() == before


def test_login_repairs_an_unreadable_file(token_path: Path) -> None:
    token_path.parent.mkdir()
    token_path.write_text("{")
    save_login_of(token_path, TokenGrant("access-0", 3600.0, "login-0"))
    assert Tap(token_path, Vendor(), configured=None).token().value == "access-0"
    assert stat.S_IMODE(token_path.stat().st_mode) == 0o600


@pytest.mark.parametrize("configured", ["pasted-0", "pasted-1", None])
def test_tokens_of_one_host_are_neither_sent_to_another_nor_lost(token_path: Path, configured: str | None) -> None:
    vendor = Vendor("login-0")
    save_login_of(token_path, TokenGrant("access-0", 3600.0, "login-0"), configured="pasted-0")
    before = token_path.read_bytes()
    with pytest.raises(RunError, match="another host or application"):
        Tap(token_path, vendor, configured=configured, issuer="https://b").token()
    assert vendor.spent == 0
    assert token_path.read_bytes() == before


def test_many_concurrent_taps_use_one_token(token_path: Path) -> None:
    vendor = Vendor()
    values: list[str] = []
    taps = [threading.Thread(target=lambda: values.append(Tap(token_path, vendor).token().value)) for _ in range(8)]
    for tap in taps:
        tap.start()
    for tap in taps:
        tap.join()
    assert values == ["access-1"] * 8
    assert vendor.spent == 1


class Throttling(Vendor):
    """A vendor that responds with a rate limit."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds

    def exchange(self, refresh_token: str) -> TokenGrant:  # noqa: ARG002
        raise RetryableError("too many requests", after=self.seconds, throttled=True)


def test_another_run_may_renew_while_one_waits_for_a_retry(token_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vendor = Vendor()
    values: list[str] = []

    def sleep(seconds: float) -> None:
        values.append(Tap(token_path, vendor).token().value)  # it would wait for the lock forever

    monkeypatch.setattr("time.sleep", sleep)
    values.append(run_with_timeout(lambda: Tap(token_path, Throttling(60)).token().value))
    assert values == ["access-1", "access-1"]
    assert vendor.spent == 1


def test_persistent_limit_keeps_the_token_and_reports_the_wait(token_path: Path) -> None:
    with pytest.raises(
        RunError, match=r"did not issue a token \(it is rate-limited for 24 hours, longer than `max_wait` allows"
    ):
        run_with_timeout(lambda: Tap(token_path, Throttling(86_400)).token())
    assert Tap(token_path, Vendor()).token().value == "access-1"


def test_disk_failure_after_the_exchange_is_reported(token_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(Vendor):
        def exchange(self, refresh_token: str) -> TokenGrant:
            grant = super().exchange(refresh_token)
            monkeypatch.setattr(os, "fsync", failing)
            return grant

    def failing(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    with pytest.raises(RunError, match=r"after new tokens had been issued, so they are lost\. Check the disk"):
        Tap(token_path, Failing()).token()


RUN = """
import sys
from pathlib import Path

from singer_rest import RunError
from singer_rest.http.token_file import TokenGrant, RefreshingAuthenticator, TokenFile

counter = Path(sys.argv[1])


class Tap(RefreshingAuthenticator):
    login_error = None

    def exchange_refresh_token(self, chain):
        spent = int(counter.read_text()) if counter.exists() else 0
        assert chain.refresh_token == (f"refresh-{spent}" if spent else "pasted-0")
        counter.write_text(str(spent + 1))
        return TokenGrant(f"access-{spent + 1}", 0.0, f"refresh-{spent + 1}")  # ends at once, so each run spends one


print(Tap(TokenFile(Path(sys.argv[2])), "pasted-0").token().value)
"""


@pytest.mark.slow
def test_concurrent_processes_share_one_chain(token_path: Path) -> None:
    token_path.parent.mkdir()
    command = [sys.executable, "-c", RUN, str(token_path.with_name("vendor")), str(token_path)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    values = [process.communicate()[0].strip() for process in processes]
    assert sorted(values) == [f"access-{number}" for number in (1, 2, 3, 4)]


STOPPED = """
import signal
import sys
import threading
import time
from pathlib import Path

from singer_rest.http.token_file import RefreshingAuthenticator, TokenFile, TokenGrant


class Tap(RefreshingAuthenticator):
    login_error = None

    def exchange_refresh_token(self, chain):
        print("asked", flush=True)
        time.sleep(0.5)  # the answer is on its way
        return TokenGrant("access-1", 3600.0, "refresh-1")


signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
tap = Tap(TokenFile(Path(sys.argv[1])), "pasted-0")
threading.Thread(target=tap.token, daemon=True).start()
time.sleep(60)
"""


@pytest.mark.slow
def test_run_stopped_during_an_exchange_keeps_the_tokens(token_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", STOPPED, str(token_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == "asked\n"
        process.terminate()
        assert process.wait(60) == 143
    chain = TokenFile(token_path).read()
    assert chain is not None
    assert (chain.refresh_token, chain.access_token) == ("refresh-1", "access-1")
