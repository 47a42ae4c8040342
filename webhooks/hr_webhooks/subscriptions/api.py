"""Requests to a vendor's API with the credentials and the connection of its tap."""

from __future__ import annotations

import json
import time
from http import HTTPStatus
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from singer_rest import (
    AccessDeniedError,
    RateLimiter,
    Request,
    RetryableError,
    RunError,
    TapError,
    encode_json_body,
    send_with_retries,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from singer_rest import Record, Reply, RestStream, RestTap

T = TypeVar("T")
TAPS = {"personio": ("tap_personio.tap", "TapPersonio"), "factorial": ("tap_factorial.tap", "TapFactorial")}


def open_tap(vendor: str, settings: Mapping[str, Any], file: Path | None) -> RestTap:
    """Returns the vendor's tap, which reads no stream of its own accord.

    Args:
        vendor: `personio` or `factorial`.
        settings: The tap's settings. Without any, and without a file, they are those of the environment.
        file: A config file of the tap, which takes precedence.

    Raises:
        RunError: If the tap is not installed, or its config file cannot be read.
        ConfigValidationError: If a setting is missing or invalid.
    """
    module, name = TAPS[vendor]
    try:
        tap_type: type[RestTap] = getattr(import_module(module), name)
    except ImportError:
        raise RunError(
            f"This needs tap-{vendor}, whose credentials it uses. Install it: pip install 'hr-webhooks[subscriptions]'"
        ) from None
    given = _read_config(file) if file else dict(settings)
    return tap_type(config=given, parse_env_config=not given, setup_mapper=False)


def _read_config(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict):
        raise RunError(f"{path}, the tap's config file, cannot be read as JSON. Check its path and content.")
    return found


class VendorApi:
    """A vendor's API. Its responses are below status 500, and not 429.

    Args:
        tap: The vendor's tap.
        creations: Limits how fast subscriptions are created. None: the vendor documents no limit.
    """

    def __init__(self, tap: RestTap, creations: RateLimiter | None = None) -> None:
        self.tap = tap
        self._creations = creations

    def read(self, stream: RestStream, advice: str) -> list[Record]:
        """Returns all records of a list.

        Args:
            stream: A stream of the tap.
            advice: What to say if the credential may not read it.

        Raises:
            TapError: If it cannot be read.
        """
        try:
            return self.tap.records_of(stream)
        except AccessDeniedError:
            raise TapError(advice) from None

    def send(self, method: str, path: str, body: Mapping[str, Any] | None, advice: str) -> Reply:
        """Sends a request that may be repeated without harm, with retries.

        Args:
            method: The HTTP method.
            path: The path below `api_url`.
            body: The JSON body, if any.
            advice: What to say if the credential may not do this.

        Raises:
            TapError: If the credential may not do this.
            RunError: If there is no response.
        """
        return _check_permission(self._retry(lambda: self._send_once(method, path, body)), advice)

    def create(self, path: str, body: Mapping[str, Any], advice: str, find: Callable[[], T | None]) -> Reply | T:
        """Sends a POST. If its response was lost, looks for what it may have created before it is sent again.

        Args:
            path: The path below `api_url`.
            body: The JSON body.
            advice: What to say if the credential may not do this.
            find: Returns what an earlier attempt has created, if it has.

        Returns:
            The response, or what was found.

        Raises:
            TapError: If the credential may not do this.
            RunError: If there is no response.
        """
        is_repeated = False

        def send_once() -> Reply | T:
            nonlocal is_repeated
            if is_repeated and (found := find()):
                return found
            is_repeated = True
            while self._creations and (seconds := self._creations.acquire(path)):
                time.sleep(seconds)
            return _check_permission(self._send_once("POST", path, body), advice)

        return self._retry(send_once)

    def _send_once(self, method: str, path: str, body: Mapping[str, Any] | None) -> Reply:
        while seconds := self.tap.rate_limiter.acquire(path):
            time.sleep(seconds)
        content = None if body is None else encode_json_body(body)
        return self.tap.transport.send(Request(path, (), path, method=method, body=content), self.tap.authenticator)

    def _retry(self, send_once: Callable[[], T]) -> T:
        try:
            return send_with_retries(send_once, self.tap.first_delay, self.tap.transport.max_wait, "the request")
        except RetryableError as retry:
            raise RunError(
                f"The vendor does not respond ({retry.reason}). Run the command again later: what it has done so far "
                "stays."
            ) from None


def _check_permission(reply: Reply, advice: str) -> Reply:
    if reply.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        raise TapError(advice)
    return reply


def parse_object(reply: Reply) -> dict[str, Any]:
    """Returns the JSON object of a response, without a wrapper; an empty one if it holds none."""
    try:
        found = reply.json()
    except ValueError:
        return {}
    inner = found.get("_data", found.get("data", found)) if isinstance(found, dict) else None
    return inner if isinstance(inner, dict) else {}
