"""The two OData services, and what they offer: read from the portal, from a cache of that, or as shipped."""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from platformdirs import user_cache_path
from singer_rest import NoAccess, Request, RetryableError, TapError, until_answered

from tap_cornerstone.odata import metadata
from tap_cornerstone.odata.metadata import EntitySet, MetadataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from singer_rest import Authenticator, Reply, Transport

logger = logging.getLogger(__name__)

NOT_TOLD = frozenset(
    {
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.PAYMENT_REQUIRED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.GONE,
        HTTPStatus.PRECONDITION_FAILED,
        HTTPStatus.PRECONDITION_REQUIRED,
    }
)
"""What a credential gets that may not know what a service has, or a portal that has not booked it."""


@dataclass(frozen=True)
class Service:
    """An OData service.

    Args:
        name: What the catalogue calls it.
        root: Where its entity sets are.
        scope: The scope of an entity set, with its name in braces.
        metadata_scope: The scope of its ``$metadata``.
    """

    name: str
    root: str
    scope: str
    metadata_scope: str

    @property
    def metadata_path(self) -> str:
        """Where it describes itself."""
        return f"{self.root}/$metadata"


VIEWS = Service("views", "/services/api/x/odata/api/views", "{}:read", "reportingmetadata:view")
OBJECTS = Service("objects", "/services/api/x/dataexporter/api/objects", "obj_{}:read", "obj_metadata:read")


@cache
def shipped() -> dict[str, list[EntitySet]]:
    """What is known of the services without a portal, by service."""
    text = (files(__package__ or "") / "catalogue.json").read_bytes()
    return msgspec.json.decode(text, type=dict[str, list[EntitySet]])


class Kept(msgspec.Struct, frozen=True):
    """What a portal said once.

    Args:
        read_at: When it said so last, seconds since the epoch.
        etag: What it called this state; empty: it has no name for it.
        token: A hash of the token that it said so to, where one is given; another may be told less.
        digest: A hash of the document, which need not be read again while it is the same.
        sets: Its entity sets.
    """

    read_at: float
    etag: str
    token: str
    digest: str
    sets: list[EntitySet]


class Described:
    """What a portal's services offer, asked for at most so often.

    Args:
        transport: The way to the portal.
        authenticator: What gives the token.
        client: Who asks.
        token: The token, where one is given.
        hours: For how long what it said is good.
        first_delay: Seconds before the first repeat.
    """

    def __init__(
        self,
        transport: Transport,
        authenticator: Authenticator,
        client: str,
        *,
        token: str,
        hours: float,
        first_delay: float,
    ) -> None:
        self._transport = transport
        self._authenticator = authenticator
        self._client = client
        self._token = hashlib.sha256(token.encode()).hexdigest() if token else ""
        self._seconds = hours * 3600
        self._first_delay = first_delay

    def sets(self, service: Service) -> Sequence[EntitySet]:
        """The entity sets of a service.

        Raises:
            NoAccess: If the credential may not know, and was not told before either.
            TapError: If the portal does not tell, and what it said before is too old: what the shipped catalogue
                lacks, columns of the portal's own above all, would be lost without a word.
        """
        file = self._file(service)
        kept = self._read(file)
        if kept and kept.token == self._token and 0 <= time.time() - kept.read_at < self._seconds:
            return kept.sets
        reply, sets = self._ask(service, kept)
        if reply.status in NOT_TOLD:
            sentence = (
                f"The credential may not know which {service.name} the portal has; it needs the scope "
                f"{service.metadata_scope} (status {reply.status})."
            )
            if not kept or kept.token != self._token:
                raise NoAccess(sentence)
            logger.warning("%s Those are offered that it had when it was asked last.", sentence)
            return kept.sets
        if reply.status == HTTPStatus.NOT_MODIFIED and kept:
            kept = msgspec.structs.replace(kept, read_at=time.time(), token=self._token)
        else:
            digest = hashlib.sha256(reply.body).hexdigest()
            kept = Kept(time.time(), reply.headers.get("ETag") or "", self._token, digest, list(sets))
        self._write(file, kept)
        return kept.sets

    def _ask(self, service: Service, kept: Kept | None) -> tuple[Reply, Sequence[EntitySet]]:
        """The portal's answer, and the entity sets in it."""
        etag = kept.etag if kept else ""
        known = (("If-None-Match", etag),) if etag.isprintable() and etag.isascii() and etag else ()
        headers = (("Accept", "application/xml"), *known)
        request = Request(service.metadata_path, (), service.metadata_path, headers=headers)

        sets: Sequence[EntitySet] = ()

        def ask() -> Reply:
            nonlocal sets
            reply = self._transport.send(request, self._authenticator)
            if reply.status == HTTPStatus.OK:
                sets = self._parsed(reply, kept)
            return reply

        try:
            reply = until_answered(ask, self._first_delay, self._transport.max_wait, service.metadata_path)
        except RetryableError as retry:
            raise TapError(
                f"The portal does not describe its {service.name} ({retry.reason}). Run again later; if it stays so, "
                "check `corpname` or `api_url`."
            ) from None
        if reply.status not in {HTTPStatus.OK, *NOT_TOLD, *([HTTPStatus.NOT_MODIFIED] if kept else [])}:
            raise TapError(
                f"The portal does not describe its {service.name}: status {reply.status}. Check `corpname` or "
                f"`api_url`, or set `{service.name}` to [] to leave them out."
            )
        return reply, sets

    @staticmethod
    def _parsed(reply: Reply, kept: Kept | None) -> Sequence[EntitySet]:
        if kept and kept.digest == hashlib.sha256(reply.body).hexdigest():
            return kept.sets
        if not reply.body.rstrip().endswith(b">"):
            raise RetryableError("it breaks off")
        try:
            return metadata.parse(reply.body)
        except MetadataError as error:  # a page for people may stand there for a while
            raise RetryableError(str(error)) from None

    def _file(self, service: Service) -> Path:
        # Another client may be told less, and another version of the tap understand more.
        words = (self._transport.api_url, self._client, version("tap-cornerstone"))
        portal = hashlib.sha256(" ".join(words).encode()).hexdigest()[:16]
        try:
            folder = user_cache_path("tap-cornerstone", appauthor=False)
        except RuntimeError:  # a user without a home
            folder = Path(os.devnull)
        return folder / f"{portal}-{service.name}.json"

    @staticmethod
    def _read(file: Path) -> Kept | None:
        try:
            return msgspec.json.decode(file.read_bytes(), type=Kept)
        except (OSError, ValueError):  # those of msgspec among them
            return None

    @staticmethod
    def _write(file: Path, kept: Kept) -> None:
        """Keep it for others of this user only, whole or not at all; without a place it is asked for again."""
        beside = file.with_suffix(f".{os.getpid()}-{secrets.token_hex(4)}")
        try:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as opened:
                opened.write(msgspec.json.encode(kept))
            beside.replace(file)
        except OSError:
            with suppress(OSError):
                beside.unlink()
            logger.info("What the portal offers cannot be kept for the next run: the cache cannot be written.")
