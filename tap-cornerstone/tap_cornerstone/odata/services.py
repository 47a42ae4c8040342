"""The two OData services and their entity sets: from the portal, a cache, or the shipped catalogue."""

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
from singer_rest import AccessDeniedError, Request, RetryableError, TapError, send_with_retries

from tap_cornerstone.odata import metadata
from tap_cornerstone.odata.metadata import EntitySet, MetadataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from singer_rest import Authenticator, Reply, Transport

logger = logging.getLogger(__name__)

NO_METADATA = frozenset(
    {
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.PAYMENT_REQUIRED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.GONE,
        HTTPStatus.PRECONDITION_FAILED,
        HTTPStatus.PRECONDITION_REQUIRED,
    }
)
"""Statuses if the credential cannot read the metadata, or the portal has not licensed the service."""


@dataclass(frozen=True)
class Service:
    """An OData service.

    Args:
        name: Its name in the catalogue.
        root: The path of its entity sets.
        scope: The scope of an entity set, with its name in braces.
        metadata_scope: The scope of its ``$metadata``.
    """

    name: str
    root: str
    scope: str
    metadata_scope: str

    @property
    def metadata_path(self) -> str:
        """The path of its metadata."""
        return f"{self.root}/$metadata"


VIEWS = Service("views", "/services/api/x/odata/api/views", "{}:read", "reportingmetadata:view")
OBJECTS = Service("objects", "/services/api/x/dataexporter/api/objects", "obj_{}:read", "obj_metadata:read")


@cache
def load_shipped() -> dict[str, list[EntitySet]]:
    """Returns the shipped catalogue by service, for use without a portal."""
    text = (files(__package__ or "") / "catalogue.json").read_bytes()
    return msgspec.json.decode(text, type=dict[str, list[EntitySet]])


class CachedMetadata(msgspec.Struct, frozen=True):
    """A cached response of a portal.

    Args:
        read_at: When it was received, seconds since the epoch.
        etag: Its ETag. Empty: it has none.
        token: Hash of the access token it was requested with, if one is set; others may see less.
        digest: Hash of the document, which is not parsed again while it is unchanged.
        sets: Its entity sets.
    """

    read_at: float
    etag: str
    token: str
    digest: str
    sets: list[EntitySet]


class MetadataCache:
    """The entity sets of a portal's services, cached for some hours.

    Args:
        transport: The HTTP client.
        authenticator: The authenticator.
        client: Identifies the client.
        token: The access token, if one is set.
        hours: Lifetime of the cache in hours.
        first_delay: Seconds before the first retry.
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

    def entity_sets(self, service: Service) -> Sequence[EntitySet]:
        """Returns the entity sets of a service.

        Raises:
            AccessDeniedError: If the credential cannot read the metadata and nothing is cached.
            TapError: If the portal does not answer and the cache has expired. The shipped catalogue is no substitute:
                it lacks custom columns, which would be lost without a warning.
        """
        file = self._cache_file(service)
        cached = self._read_cache(file)
        if cached and cached.token == self._token and 0 <= time.time() - cached.read_at < self._seconds:
            return cached.sets
        reply, sets = self._request_metadata(service, cached)
        if reply.status in NO_METADATA:
            sentence = (
                f"The credential cannot list the portal's {service.name}; it needs the scope "
                f"{service.metadata_scope} (status {reply.status})."
            )
            if not cached or cached.token != self._token:
                raise AccessDeniedError(sentence)
            logger.warning("%s Using those of the last run that could read it.", sentence)
            return cached.sets
        if reply.status == HTTPStatus.NOT_MODIFIED and cached:
            cached = msgspec.structs.replace(cached, read_at=time.time(), token=self._token)
        else:
            digest = hashlib.sha256(reply.body).hexdigest()
            cached = CachedMetadata(time.time(), reply.headers.get("ETag") or "", self._token, digest, list(sets))
        self._write_cache(file, cached)
        return cached.sets

    def _request_metadata(self, service: Service, cached: CachedMetadata | None) -> tuple[Reply, Sequence[EntitySet]]:
        """Requests the metadata. Returns the response and its entity sets."""
        etag = cached.etag if cached else ""
        known = (("If-None-Match", etag),) if etag.isprintable() and etag.isascii() and etag else ()
        headers = (("Accept", "application/xml"), *known)
        request = Request(service.metadata_path, (), service.metadata_path, headers=headers)

        sets: Sequence[EntitySet] = ()

        def send_request() -> Reply:
            nonlocal sets
            reply = self._transport.send(request, self._authenticator)
            if reply.status == HTTPStatus.OK:
                sets = self._parse_reply(reply, cached)
            return reply

        try:
            reply = send_with_retries(send_request, self._first_delay, self._transport.max_wait, service.metadata_path)
        except RetryableError as retry:
            raise TapError(
                f"The metadata of the portal's {service.name} cannot be read ({retry.reason}). Run again later; if it "
                "happens again, check `corpname` or `api_url`."
            ) from None
        if reply.status not in {HTTPStatus.OK, *NO_METADATA, *([HTTPStatus.NOT_MODIFIED] if cached else [])}:
            raise TapError(
                f"The metadata of the portal's {service.name} cannot be read: status {reply.status}. Check `corpname` "
                f"or `api_url`, or set `{service.name}` to [] to leave them out."
            )
        return reply, sets

    @staticmethod
    def _parse_reply(reply: Reply, cached: CachedMetadata | None) -> Sequence[EntitySet]:
        if cached and cached.digest == hashlib.sha256(reply.body).hexdigest():
            return cached.sets
        if not reply.body.rstrip().endswith(b">"):
            raise RetryableError("it is truncated")
        try:
            return metadata.parse(reply.body)
        except MetadataError as error:  # a portal may temporarily answer with a web page
            raise RetryableError(str(error)) from None

    def _cache_file(self, service: Service) -> Path:
        # Another client may see less, and another version of the tap may parse more.
        words = (self._transport.api_url, self._client, version("tap-cornerstone"))
        portal = hashlib.sha256(" ".join(words).encode()).hexdigest()[:16]
        try:
            folder = user_cache_path("tap-cornerstone", appauthor=False)
        except RuntimeError:  # a user without a home directory
            folder = Path(os.devnull)
        return folder / f"{portal}-{service.name}.json"

    @staticmethod
    def _read_cache(file: Path) -> CachedMetadata | None:
        try:
            return msgspec.json.decode(file.read_bytes(), type=CachedMetadata)
        except (OSError, ValueError):  # msgspec's errors are ValueErrors
            return None

    @staticmethod
    def _write_cache(file: Path, cached: CachedMetadata) -> None:
        """Caches a response, atomically and for this user only. If that fails, the next run requests it again."""
        temporary = file.with_suffix(f".{os.getpid()}-{secrets.token_hex(4)}")
        try:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file_object:
                file_object.write(msgspec.json.encode(cached))
            temporary.replace(file)
        except OSError:
            with suppress(OSError):
                temporary.unlink()
            logger.info("The portal's metadata cannot be cached for the next run: the cache is not writable.")
