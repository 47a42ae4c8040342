"""Refresh tokens that change with each use, kept in a file between runs and shared by the taps that run at once."""

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
from filelock import FileLock, Timeout

from singer_rest.errors import RunError
from singer_rest.http.auth import EXPIRY_MARGIN, Authenticator, Token
from singer_rest.http.rate_limits import LONG_WAIT, MAX_WAIT
from singer_rest.http.retries import FIRST_DELAY, remaining_budget, time_budget
from singer_rest.http.token_requests import until_granted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

logger = logging.getLogger(__name__)

LOCK_SECONDS = 600.0
"""Seconds for which another run's exchange is waited for."""
EXCHANGE_SECONDS = 540.0
"""Seconds that one exchange may take, for others wait for it."""
SETTLE_SECONDS = 10.0
"""Seconds for which a run that is stopped waits for tokens that are on their way."""
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
            lock = FileLock(f"{self.path}.lock", mode=0o600)
            try:
                lock.acquire(timeout=min(LONG_WAIT, LOCK_SECONDS))
            except Timeout:
                logger.info("Another run holds the token file; it is waited for.")
                lock.acquire(timeout=max(0.0, LOCK_SECONDS - LONG_WAIT))
        except Timeout:
            raise RunError("Another run holds the token file. Run again once it has ended.") from None
        except OSError:
            raise RunError("The token file cannot be written. Set `token_file` to a path that can.") from None
        try:
            yield
        finally:
            lock.release()

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

    def exchanged(self, exchange: Callable[[], Grant], chain: Callable[[Grant], Chain]) -> Grant:
        """Make room for the next chain, then ask for it and write it in the old one's place.

        From the moment at which the vendor answers until the file is written, the new tokens are nowhere but in this
        process. So nothing else is done in between, and a run that is stopped meanwhile waits for it.

        Args:
            exchange: Asks the vendor for the tokens.
            chain: Makes the chain of them.

        Raises:
            RunError: If there is no room, and nothing is lost; or if the disk fails after the tokens came.
            Exception: What `exchange` raises; the file is as it was then.
        """
        with _settled, self._room() as room:
            grant = exchange()
            try:
                room.write(msgspec.json.encode(chain(grant)))  # the spaces after it are JSON too
                os.fsync(room.fileno())
                room.close()
                self._beside.replace(self.path)
                self._sync_folder()
            except OSError:
                raise RunError(
                    "The token file could not be written after new tokens had come, so they are lost. Check the disk, "
                    "and log in again."
                ) from None
        return grant

    @contextmanager
    def _room(self) -> Iterator[FileIO]:
        """The file beside, open at its begin and as large as it will be."""
        try:
            self._beside.unlink(missing_ok=True)
            room = FileIO(os.open(self._beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w")
        except OSError:
            raise _no_room() from None
        try:
            with room:
                try:
                    room.write(b" " * ROOM)
                    os.fsync(room.fileno())
                    room.seek(0)
                except OSError:
                    raise _no_room() from None
                self._sync_folder()
                yield room
        finally:
            self._beside.unlink(missing_ok=True)

    def _sync_folder(self) -> None:
        """Let a file's name be there too after the power failed; not every system can."""
        with suppress(OSError):
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def _no_room() -> RunError:
    return RunError(
        "The token file cannot be written: is the disk full? Set `token_file` to a path that can; no token was spent."
    )


_settled = threading.Lock()
"""Held while tokens are on their way."""


@atexit.register
def _settle() -> None:
    if _settled.acquire(timeout=SETTLE_SECONDS):
        _settled.release()


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
        exchange: Asks the vendor for the tokens, once; called when the file is sure to take them.
        configured: The refresh token of the settings.
        issuer: The host and the application that are asked.
        now: Seconds since the epoch.

    Raises:
        RunError: If the file cannot be written.
        Exception: What `exchange` raises; the file is as it was then.
    """
    with file.locked():
        try:
            before = file.read()
        except RunError:
            before = None  # a login is what mends it

        def chain(grant: Grant) -> Chain:
            return Chain(
                began_with=_hash(configured) or (before.began_with if before else ""),
                refresh_token=grant.refresh_token or "",
                obtained_at=now(),
                access_token=grant.access_token,
                expires_at=_end(grant, now()),
                issuer=issuer,
            )

        return chain(file.exchanged(exchange, chain))


class RefreshingAuthenticator(Authenticator):
    """Spends refresh tokens: each gives an access token and its own successor, which is kept before either is used.

    Args:
        file: Where the chain is kept.
        configured: The refresh token of the settings; one that did not begin the chain in the file begins a new one.
        issuer: The host and the application that are asked: tokens of another one are not sent there.
        now: Seconds since the epoch.
        first_delay: Seconds before the first repeat; each further one doubles it, with full jitter.
        max_wait: Seconds for which a limit may hold an exchange back.
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
        self._given = ""

    @abstractmethod
    def exchange(self, chain: Chain) -> Grant:
        """Ask the vendor once for an access token, for the chain's refresh token.

        Raises:
            Retry: If it may be asked again.
            RunError: If it refuses.
        """

    @abstractmethod
    def logged_out(self) -> RunError:
        """The error for when no token is there, or none that is good."""

    def lasting(self, token: Token) -> Token:
        """Answer for an access token without a refresh token: as nothing can renew it, a 401 ends the run.

        A vendor whose 401 may mean a missing permission asks here whether the token is good, whenever it is asked for.

        Raises:
            RunError: If it is not.
        """
        if token.value == self._given:
            raise self.logged_out()
        self._given = token.value
        return token

    def request_token(self) -> Token:
        """Take the access token that is good, or spend the refresh token."""
        # Between attempts others may have the file, and renew the token meanwhile.
        chain, token = until_granted(self._taken_or_renewed, self._first_delay, self._max_wait)
        if token:
            return token
        left = self._left(chain)
        if left <= 0:
            raise self.logged_out()
        return self.lasting(Token(chain.access_token, left))

    def _taken_or_renewed(self) -> tuple[Chain, Token | None]:
        """Try once to get a token; None where there is no refresh token that could give one."""
        with self._file.locked():
            chain = self._chain()
            if not chain.refresh_token:
                return chain, None
            left = self._left(chain)
            # Another run may have renewed it meanwhile; the one that this run has used is not good any more.
            if chain.access_token and chain.access_token != self._given and left > EXPIRY_MARGIN:
                self._given = chain.access_token
                return chain, Token(chain.access_token, left)
            with time_budget(min(EXCHANGE_SECONDS, remaining_budget())):
                grant = self._file.exchanged(lambda: self.exchange(chain), lambda grant: self._following(chain, grant))
        self._given = grant.access_token
        return chain, Token(grant.access_token, math.inf if grant.lifetime is None else grant.lifetime)

    def _following(self, chain: Chain, grant: Grant) -> Chain:
        return Chain(
            began_with=chain.began_with,
            refresh_token=grant.refresh_token or chain.refresh_token,
            obtained_at=self._now() if grant.refresh_token else chain.obtained_at,
            access_token=grant.access_token,
            expires_at=_end(grant, self._now()),
            issuer=self._issuer,
        )

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
