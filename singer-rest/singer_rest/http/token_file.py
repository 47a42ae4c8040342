"""Rotating refresh tokens, kept in a file between runs and shared by concurrent taps."""

from __future__ import annotations

import atexit
import hashlib
import logging
import math
import os
import threading
import time
from abc import abstractmethod
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from singer_rest.errors import RunError
from singer_rest.http.auth import EXPIRY_MARGIN, Authenticator, Token
from singer_rest.http.rate_limits import LONG_WAIT, MAX_WAIT
from singer_rest.http.retries import FIRST_DELAY, remaining_budget, time_budget
from singer_rest.http.token_requests import request_token_with_retries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

logger = logging.getLogger(__name__)

LOCK_SECONDS = 600.0
"""Seconds to wait for another run's exchange."""
EXCHANGE_SECONDS = 540.0
"""Maximum seconds for one exchange, as other runs wait for it."""
SETTLE_SECONDS = 10.0
"""Seconds that a stopped run waits for an exchange in progress."""
RESERVED_BYTES = 16 * 1024
"""Bytes reserved on the disk before a refresh token is used, so that its successor can be saved."""


@dataclass(frozen=True, repr=False)  # a token must not appear in a log
class TokenGrant:
    """The response of a token endpoint to a refresh token.

    Args:
        access_token: The access token.
        lifetime: Its lifetime in seconds. None: it does not expire.
        refresh_token: The next refresh token. None: the old one stays valid.
    """

    access_token: str
    lifetime: float | None
    refresh_token: str | None = None


class TokenChain(msgspec.Struct, frozen=True):
    """The current state of a chain of refresh tokens.

    Args:
        began_with: Hash of the configured refresh token that started it or that a login replaced. Empty: none.
        refresh_token: The valid refresh token. Empty: there is only the access token.
        obtained_at: When it was issued, seconds since the epoch.
        access_token: The access token issued with it. Empty: none, and the refresh token has not been used yet.
        expires_at: When the access token expires, seconds since the epoch. None: never (JSON has no infinity).
        issuer: The host and the application that issued them.
    """

    began_with: str
    refresh_token: str
    obtained_at: float
    access_token: str = ""
    expires_at: float | None = 0.0
    issuer: str = ""

    def __repr__(self) -> str:
        """Hides the tokens."""
        return "TokenChain(...)"


class TokenFile:
    """The file that holds a chain: private, replaced atomically, locked between processes.

    Args:
        path: The file. Its directory is created if needed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._temporary = Path(f"{path}.next")

    @contextmanager
    def hold_lock(self) -> Iterator[None]:
        """Locks the file against other processes.

        Raises:
            RunError: If the directory is not writable or another process keeps the lock.
        """
        from filelock import FileLock, Timeout  # noqa: PLC0415 - most runs have no token file

        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = FileLock(f"{self.path}.lock", mode=0o600)
            try:
                lock.acquire(timeout=min(LONG_WAIT, LOCK_SECONDS))
            except Timeout:
                logger.info("Waiting for another run that uses the token file.")
                lock.acquire(timeout=max(0.0, LOCK_SECONDS - LONG_WAIT))
        except Timeout:
            raise RunError("Another run uses the token file. Run again once it has ended.") from None
        except OSError:
            raise RunError("The token file cannot be written. Set `token_file` to a writable path.") from None
        try:
            yield
        finally:
            lock.release()

    def read(self) -> TokenChain | None:
        """Returns the chain, or None if there is none yet.

        Raises:
            RunError: If the file cannot be read.
        """
        with suppress(OSError, msgspec.DecodeError):
            msgspec.json.decode(self._temporary.read_bytes(), type=TokenChain)
            self._temporary.replace(self.path)  # a run was killed between writing and renaming it
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=TokenChain)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError):
            raise RunError("The token file cannot be read. Remove it, and log in again.") from None

    def exchange_and_save(
        self, exchange: Callable[[], TokenGrant], make_chain: Callable[[TokenGrant], TokenChain]
    ) -> TokenGrant:
        """Reserves disk space for the next chain, then requests it and replaces the old one.

        Between the vendor's response and the write, the new tokens exist only in this process. So nothing else is done
        in between, and a stopped run waits for it.

        Args:
            exchange: Requests the tokens from the vendor.
            make_chain: Makes the chain from the tokens.

        Raises:
            RunError: If there is no disk space (nothing is lost), or if writing fails after the tokens were issued.
            Exception: What `exchange` raises; the file is unchanged.
        """
        with _exchange_lock, self._reserved_file() as reserved:
            grant = exchange()
            try:
                reserved.write(msgspec.json.encode(make_chain(grant)))  # the spaces after it are valid JSON
                os.fsync(reserved.fileno())
                reserved.close()
                self._temporary.replace(self.path)
                self._sync_folder()
            except OSError:
                raise RunError(
                    "The token file could not be written after new tokens had been issued, so they are lost. Check "
                    "the disk, and log in again."
                ) from None
        return grant

    @contextmanager
    def _reserved_file(self) -> Iterator[FileIO]:
        """Opens the temporary file, with its final size reserved, at its start."""
        try:
            self._temporary.unlink(missing_ok=True)
            reserved = FileIO(os.open(self._temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w")
        except OSError:
            raise _disk_full() from None
        try:
            with reserved:
                try:
                    reserved.write(b" " * RESERVED_BYTES)
                    os.fsync(reserved.fileno())
                    reserved.seek(0)
                except OSError:
                    raise _disk_full() from None
                self._sync_folder()
                yield reserved
        finally:
            self._temporary.unlink(missing_ok=True)

    def _sync_folder(self) -> None:
        """Makes the file's name survive a power failure, if the system supports it."""
        with suppress(OSError):
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def _disk_full() -> RunError:
    return RunError(
        "The token file cannot be written: is the disk full? Set `token_file` to a writable path; no token was used."
    )


_exchange_lock = threading.Lock()
"""Held during an exchange."""


@atexit.register
def _wait_for_exchange() -> None:
    if _exchange_lock.acquire(timeout=SETTLE_SECONDS):
        _exchange_lock.release()


def save_login(
    file: TokenFile,
    exchange: Callable[[], TokenGrant],
    configured: str | None,
    issuer: str = "",
    now: Callable[[], float] = time.time,
) -> TokenChain:
    """Saves the tokens of a login, replacing whatever is in the file.

    The login takes precedence over the configured refresh token: the given one or, if the login did not know the
    settings, the one that started the previous chain. A different one configured later takes precedence over the login.

    Args:
        file: The token file.
        exchange: Requests the tokens from the vendor, once. Called only if the file is writable.
        configured: The refresh token of the settings.
        issuer: The host and the application that issue the tokens.
        now: Returns the seconds since the epoch.

    Raises:
        RunError: If the file cannot be written.
        Exception: What `exchange` raises; the file is unchanged.
    """
    with file.hold_lock():
        try:
            previous = file.read()
        except RunError:
            previous = None  # the login repairs it

        def make_chain(grant: TokenGrant) -> TokenChain:
            return TokenChain(
                began_with=_hash_token(configured) or (previous.began_with if previous else ""),
                refresh_token=grant.refresh_token or "",
                obtained_at=now(),
                access_token=grant.access_token,
                expires_at=_expires_at(grant, now()),
                issuer=issuer,
            )

        return make_chain(file.exchange_and_save(exchange, make_chain))


class RefreshingAuthenticator(Authenticator):
    """Uses rotating refresh tokens: each yields an access token and its successor, saved before either is used.

    Args:
        file: The token file.
        configured: The refresh token of the settings. If it did not start the chain in the file, it starts a new one.
        issuer: The host and the application that issue the tokens. Tokens of other ones are not sent there.
        now: Returns the seconds since the epoch.
        first_delay: Seconds before the first retry. Each further one doubles it, with full jitter.
        max_wait: Maximum number of seconds that a rate limit may delay an exchange.
    """

    def __init__(
        self,
        file: TokenFile,
        configured: str | None,
        issuer: str = "",
        now: Callable[[], float] = time.time,
        *,
        first_delay: float = FIRST_DELAY,
        max_wait: float = MAX_WAIT,
    ) -> None:
        super().__init__()
        self._file = file
        self._configured = configured
        self._issuer = issuer
        self._now = now
        self._first_delay = first_delay
        self._max_wait = max_wait
        self._used_token = ""

    @abstractmethod
    def exchange_refresh_token(self, chain: TokenChain) -> TokenGrant:
        """Requests an access token once, with the chain's refresh token.

        Raises:
            RetryableError: If it may be requested again.
            RunError: If the vendor rejects it.
        """

    @abstractmethod
    def login_error(self) -> RunError:
        """Returns the error to raise if no valid token is left, which says how to log in."""

    def confirm_access_token(self, token: Token) -> Token:
        """Confirms an access token without a refresh token. It cannot be renewed, so a 401 ends the run.

        A vendor whose 401 may mean a missing permission can check here whether the token is valid.

        Raises:
            RunError: If it is not.
        """
        if token.value == self._used_token:
            raise self.login_error()
        self._used_token = token.value
        return token

    def request_token(self) -> Token:
        """Returns the valid access token, or uses the refresh token to get one."""
        # Between attempts other runs may lock the file and renew the token.
        chain, token = request_token_with_retries(self._try_request_token, self._first_delay, self._max_wait)
        if token:
            return token
        seconds_left = self._seconds_left(chain)
        if seconds_left <= 0:
            raise self.login_error()
        return self.confirm_access_token(Token(chain.access_token, seconds_left))

    def _try_request_token(self) -> tuple[TokenChain, Token | None]:
        """Tries once to get a token. None: there is no refresh token to get one with."""
        with self._file.hold_lock():
            chain = self._current_chain()
            if not chain.refresh_token:
                return chain, None
            seconds_left = self._seconds_left(chain)
            # Another run may have renewed it; a token that this run used before is no longer valid.
            if chain.access_token and chain.access_token != self._used_token and seconds_left > EXPIRY_MARGIN:
                self._used_token = chain.access_token
                return chain, Token(chain.access_token, seconds_left)
            with time_budget(min(EXCHANGE_SECONDS, remaining_budget())):
                grant = self._file.exchange_and_save(
                    lambda: self.exchange_refresh_token(chain), lambda grant: self._next_chain(chain, grant)
                )
        self._used_token = grant.access_token
        return chain, Token(grant.access_token, math.inf if grant.lifetime is None else grant.lifetime)

    def _next_chain(self, chain: TokenChain, grant: TokenGrant) -> TokenChain:
        return TokenChain(
            began_with=chain.began_with,
            refresh_token=grant.refresh_token or chain.refresh_token,
            obtained_at=self._now() if grant.refresh_token else chain.obtained_at,
            access_token=grant.access_token,
            expires_at=_expires_at(grant, self._now()),
            issuer=self._issuer,
        )

    def _seconds_left(self, chain: TokenChain) -> float:
        return math.inf if chain.expires_at is None else chain.expires_at - self._now()

    def _current_chain(self) -> TokenChain:
        chain = self._file.read()
        if chain and chain.issuer != self._issuer:
            raise RunError(
                "The token file holds tokens of another host or application. Set a separate `token_file` for each, or "
                "log in again."
            )
        began_with = _hash_token(self._configured)
        if chain and (not began_with or chain.began_with == began_with):
            return chain
        if not self._configured:
            raise self.login_error()
        return TokenChain(began_with, self._configured, self._now(), issuer=self._issuer)


def _hash_token(configured: str | None) -> str:
    return hashlib.sha256(configured.encode()).hexdigest() if configured else ""


def _expires_at(grant: TokenGrant, now: float) -> float | None:
    return None if grant.lifetime is None else now + grant.lifetime
