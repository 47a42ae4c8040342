"""Refresh tokens that change with each use, kept in a file between runs and shared by the taps that run at once."""

from __future__ import annotations

import hashlib
import math
import os
import time
from abc import abstractmethod
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from filelock import FileLock, Timeout

from singer_rest.auth import MARGIN, Authenticator, Token
from singer_rest.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOCK_SECONDS = 120.0
ROOM = 16 * 1024
"""Bytes that are taken on the disk before a refresh token is spent, so that its successor has a place."""


@dataclass(frozen=True, repr=False)  # a token never stands in a log
class Grant:
    """What a token endpoint gives for a refresh token.

    Args:
        access_token: The access token.
        lifetime: Seconds that it lives; None: it does not end.
        refresh_token: The next refresh token; None: the old one stays good.
    """

    access_token: str
    lifetime: float | None
    refresh_token: str | None = None


class Chain(msgspec.Struct, frozen=True):
    """Where a chain of refresh tokens stands.

    Args:
        began_with: Hash of the configured refresh token that began it, or that a login replaced; empty: none did.
        refresh_token: The one that is good now; empty: the access token is all that there is.
        obtained_at: When it was given, seconds since the epoch.
        access_token: The access token that came with it; empty: none did, and the refresh token was not used yet.
        expires_at: When that ends, seconds since the epoch; None: never (JSON has no infinity).
        issuer: The host and the application that gave it.
    """

    began_with: str
    refresh_token: str
    obtained_at: float
    access_token: str = ""
    expires_at: float | None = 0.0
    issuer: str = ""

    def __repr__(self) -> str:
        """Nothing of the tokens."""
        return "Chain(...)"


class TokenFile:
    """The file that holds a chain: private, written whole or not at all, locked between processes.

    Args:
        path: The file; its folder is made where there is none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._beside = Path(f"{path}.next")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes away from the file.

        Raises:
            RunError: If the folder cannot be written, or another process keeps the lock.
        """
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = FileLock(f"{self.path}.lock", timeout=LOCK_SECONDS, mode=0o600).acquire()
        except Timeout:
            raise RunError("Another run holds the token file. Run again once it has ended.") from None
        except OSError:
            raise RunError("The token file cannot be written. Set `token_file` to a path that can.") from None
        with lock:
            yield

    def read(self) -> Chain | None:
        """The chain; None where there is none yet.

        Raises:
            RunError: If the file cannot be read.
        """
        with suppress(OSError, msgspec.DecodeError):
            msgspec.json.decode(self._beside.read_bytes(), type=Chain)
            self._beside.replace(self.path)  # a run was killed between writing it and this
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=Chain)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError):
            raise RunError("The token file cannot be read. Remove it, and log in again.") from None

    @contextmanager
    def replaced(self) -> Iterator[Callable[[Chain], None]]:
        """Make room for the next chain, then take it: gives the function that writes it in the old one's place.

        Raises:
            RunError: If there is no room; nothing is lost by then.
        """
        try:
            self._beside.unlink(missing_ok=True)
            descriptor = os.open(self._beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(b" " * ROOM)
                file.flush()
                os.fsync(descriptor)
        except OSError:
            self._beside.unlink(missing_ok=True)
            raise RunError(
                "The token file cannot be written: is the disk full? Set `token_file` to a path that can; no token was "
                "spent."
            ) from None
        try:
            yield self._write
        finally:
            self._beside.unlink(missing_ok=True)

    def _write(self, chain: Chain) -> None:
        with self._beside.open("r+b") as file:
            file.write(msgspec.json.encode(chain))  # the spaces after it are JSON too
            file.flush()
            os.fsync(file.fileno())
        self._beside.replace(self.path)


def keep_login(
    file: TokenFile,
    exchange: Callable[[], Grant],
    configured: str | None,
    issuer: str = "",
    now: Callable[[], float] = time.time,
) -> Chain:
    """Keep what a login gives, in the place of whatever is in the file.

    It wins over the refresh token that the settings hold: over the one given here, or, where the login was done without
    them, over the one that began the chain before it. Another one, pasted later, still wins over the login.

    Args:
        file: Where the chain is kept.
        exchange: Asks the vendor for the tokens; called once the file is sure to take them.
        configured: The refresh token of the settings.
        issuer: The host and the application that are asked.
        now: Seconds since the epoch.

    Raises:
        RunError: If the file cannot be written, or what `exchange` raises; the file is as it was then.
    """
    with file.locked():
        try:
            before = file.read()
        except RunError:
            before = None  # a login is what mends it
        with file.replaced() as write:
            grant = exchange()
            chain = Chain(
                began_with=_hash(configured) or (before.began_with if before else ""),
                refresh_token=grant.refresh_token or "",
                obtained_at=now(),
                access_token=grant.access_token,
                expires_at=_end(grant, now()),
                issuer=issuer,
            )
            write(chain)
    return chain


class RefreshingAuthenticator(Authenticator):
    """Spends refresh tokens: each gives an access token and its own successor, which is kept before either is used.

    Args:
        file: Where the chain is kept.
        configured: The refresh token of the settings; one that did not begin the chain in the file begins a new one.
        issuer: The host and the application that are asked: tokens of another one are not sent there.
        now: Seconds since the epoch.
    """

    def __init__(
        self, file: TokenFile, configured: str | None, issuer: str = "", now: Callable[[], float] = time.time
    ) -> None:
        super().__init__()
        self._file = file
        self._configured = configured
        self._issuer = issuer
        self._now = now
        self._given = ""

    @abstractmethod
    def exchange(self, chain: Chain) -> Grant:
        """Ask the vendor for an access token, for the chain's refresh token.

        Raises:
            RunError: If it refuses, or cannot be reached.
        """

    @abstractmethod
    def logged_out(self) -> RunError:
        """The error for when no token is there, or none that is good."""

    def lasting(self, token: Token) -> Token:
        """Answer for an access token without a refresh token: as nothing can renew it, a 401 ends the run.

        A vendor whose 401 may mean a missing right asks here whether the token is good, whenever it is asked for.

        Raises:
            RunError: If it is not.
        """
        if token.value == self._given:
            raise self.logged_out()
        self._given = token.value
        return token

    def request_token(self) -> Token:
        """Take the access token that is good, or spend the refresh token."""
        with self._file.locked():
            chain = self._chain()
            if chain.refresh_token:
                return self._taken_or_renewed(chain)
        left = self._left(chain)
        if left <= 0:
            raise self.logged_out()
        return self.lasting(Token(chain.access_token, left))

    def _taken_or_renewed(self, chain: Chain) -> Token:
        left = self._left(chain)
        # Another run may have renewed it meanwhile; the one that this run has used is not good any more.
        if chain.access_token and chain.access_token != self._given and left > MARGIN:
            self._given = chain.access_token
            return Token(chain.access_token, left)
        with self._file.replaced() as write:
            grant = self.exchange(chain)
            self._given = grant.access_token
            write(
                Chain(
                    began_with=chain.began_with,
                    refresh_token=grant.refresh_token or chain.refresh_token,
                    obtained_at=self._now() if grant.refresh_token else chain.obtained_at,
                    access_token=grant.access_token,
                    expires_at=_end(grant, self._now()),
                    issuer=self._issuer,
                )
            )
        return Token(grant.access_token, math.inf if grant.lifetime is None else grant.lifetime)

    def _left(self, chain: Chain) -> float:
        return math.inf if chain.expires_at is None else chain.expires_at - self._now()

    def _chain(self) -> Chain:
        kept = self._file.read()
        if kept and kept.issuer != self._issuer:
            raise RunError(
                "The token file holds tokens of another host or application. Set `token_file` to a path of its own for "
                "each, or log in again."
            )
        began_with = _hash(self._configured)
        if kept and (not began_with or kept.began_with == began_with):
            return kept
        if not self._configured:
            raise self.logged_out()
        return Chain(began_with, self._configured, self._now(), issuer=self._issuer)


def _hash(configured: str | None) -> str:
    return hashlib.sha256(configured.encode()).hexdigest() if configured else ""


def _end(grant: Grant, now: float) -> float | None:
    return None if grant.lifetime is None else now + grant.lifetime
