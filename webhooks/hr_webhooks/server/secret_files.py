"""Secrets that vendors send, read again when their files change."""

from __future__ import annotations

import hmac
import logging
import os
from typing import TYPE_CHECKING

from hr_webhooks.config import MAX_SECRETS
from hr_webhooks.errors import ConfigError
from hr_webhooks.private_files import read_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from hr_webhooks.config import VendorConfig

LOGGER = logging.getLogger(__name__)
MIN_LENGTH = 16  # characters

_Signature = tuple[tuple[int, int, int, int] | None, ...]


class Secrets:
    """The secrets that are valid now: those of the environment, and each line of the files.

    If the files become unusable while the receiver runs, the former secrets stay valid: a mistake must not refuse
    events. A file that is removed is left out; one that is empty for a moment, while it is written, is not.

    Args:
        files: The files.
        values: The secrets from elsewhere.
        purpose: What they are for, for messages.

    Raises:
        ConfigError: If there is none, or one cannot be used.
    """

    def __init__(self, files: Sequence[Path], values: Sequence[str] = (), *, purpose: str) -> None:
        self._files = files
        self._fixed = list(values)
        self._purpose = purpose
        self._by_file: dict[Path, list[str]] = {}
        self._seen = self._look()
        self._values = self._read()

    def current(self) -> list[str]:
        """Returns the secrets, after reading files that have changed."""
        seen = self._look()
        if seen != self._seen:
            self._seen = seen
            try:
                self._values = self._read()
            except ConfigError as error:
                LOGGER.error("%s The former secrets stay valid.", error)  # noqa: TRY400 - the message says it all
            else:
                LOGGER.info("Read the secrets for %s again: %s valid", self._purpose, len(self._values))
        return self._values

    def match(self, given: Sequence[bytes]) -> bool:
        """Whether one of the values of a header is a valid secret. Takes the same time wherever they differ."""
        expected = [secret.encode(encoding) for secret in self.current() for encoding in _encodings(secret)]
        return match_any([value.strip() for value in given], expected)

    def _look(self) -> _Signature:
        return tuple(_sign(path) for path in self._files)

    def _read(self) -> list[str]:
        by_file = {}
        for path in self._files:
            try:
                by_file[path] = read_lines(path) or self._by_file.get(path, [])
            except FileNotFoundError:
                continue
        values = self._fixed + [line for lines in by_file.values() for line in lines]
        if not values:
            names = ", ".join(map(str, self._files)) or "its environment variables"
            raise ConfigError(f"There is no secret for {self._purpose}. Write it to {names}.")
        if len(values) > MAX_SECRETS:
            raise ConfigError(f"There are more than {MAX_SECRETS} secrets for {self._purpose}. Remove the oldest.")
        if any(len(value) < MIN_LENGTH for value in values):
            raise ConfigError(f"A secret for {self._purpose} is too short. Use at least {MIN_LENGTH} characters.")
        self._by_file = by_file
        return values


def match_any(given: Sequence[bytes], expected: Sequence[bytes]) -> bool:
    """Whether one of several values is an expected one. Takes the same time wherever they differ."""
    matches = [hmac.compare_digest(value, each) for value in given for each in expected]
    return any(matches)


def _sign(path: Path) -> tuple[int, int, int, int] | None:
    """Returns what changes when a file is written."""
    try:
        status = os.stat(path)  # noqa: PTH116 - for each request
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


def _encodings(secret: str) -> list[str]:
    """Returns how clients may encode a secret in a header."""
    if secret.isascii():
        return ["ascii"]
    try:
        secret.encode("latin-1")
    except UnicodeEncodeError:
        return ["utf-8"]
    return ["utf-8", "latin-1"]


def find_secrets(settings: VendorConfig, resolve: Callable[[str], Path], purpose: str) -> Secrets:
    """Returns the secrets of a vendor.

    Args:
        settings: The vendor's settings.
        resolve: Returns the path of a file that the settings name.
        purpose: What they are for, for messages.

    Raises:
        ConfigError: If there is none, or one cannot be used.
    """
    values = [value for name in settings.secret_env if (value := os.environ.get(name, "").strip())]
    if not values and not settings.secret_files:
        raise ConfigError(f"There is no secret for {purpose}. Set {' or '.join(settings.secret_env)}.")
    return Secrets([resolve(name) for name in settings.secret_files], values, purpose=purpose)
