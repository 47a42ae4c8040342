"""The files with the secrets that a vendor sends along, and how one secret takes the place of another."""

from __future__ import annotations

import os
import secrets
import time
from typing import TYPE_CHECKING

from hr_webhooks.errors import ConfigError
from hr_webhooks.private_files import read_lines, write_private

if TYPE_CHECKING:
    from pathlib import Path

    from hr_webhooks.config import Config, VendorConfig

SECRET_BYTES = 32


class SecretFiles:
    """The secrets of a vendor of a tenant. `hr-webhooks serve` reads the files again when they change.

    Args:
        config: The configuration.
        settings: The vendor's part of it.
    """

    def __init__(self, config: Config, settings: VendorConfig) -> None:
        self._paths = [config.resolve(name) for name in settings.secret_files]
        self._variables = settings.secret_env

    def read(self) -> list[str]:
        """Returns the valid secrets, the newest first.

        Raises:
            ConfigError: If a file cannot be read, or others can read it.
        """
        return list(dict.fromkeys([line for path in self._paths[:1] for line in _read(path)] + self._read_others()))

    def newest(self) -> str:
        """Returns the newest secret.

        Raises:
            ConfigError: If there is none.
        """
        if found := self.read():
            return found[0]
        raise ConfigError("There is no secret yet. Make one with `hr-webhooks subscribe`.")

    def create(self) -> bool:
        """Makes the first secret, unless there is one. Returns whether it made one.

        Raises:
            ConfigError: If no file is configured for it.
        """
        if self.read():
            return False
        self._write([secrets.token_urlsafe(SECRET_BYTES)])
        return True

    def rotate(self) -> None:
        """Makes a new secret, as the first line of the file. The former one stays valid.

        Raises:
            ConfigError: If no file is configured for it.
        """
        former = self.newest()
        kept = [] if former in self._read_others() else [former]
        self._write([secrets.token_urlsafe(SECRET_BYTES), *kept])

    def drop_former(self) -> None:
        """Removes the former secret.

        Raises:
            ConfigError: If it is in the environment.
        """
        self._write([self.newest()])
        for path in self._paths[1:]:
            path.unlink(missing_ok=True)
        if len(self.read()) > 1:
            raise ConfigError(f"Remove the former secret from the environment ({', '.join(self._variables)}).")

    def seconds_since_rotation(self) -> float:
        """Returns how long the newest secret has existed."""
        return time.time() - self._paths[0].stat().st_mtime if self._paths else float("inf")

    def _write(self, values: list[str]) -> None:
        if not self._paths:
            raise ConfigError(f"Name a file in `secret_files` instead of {self._variables[0]}: secrets are made there.")
        write_private(self._paths[0], "".join(f"{value}\n" for value in values))

    def _read_others(self) -> list[str]:
        found = [line for path in self._paths[1:] for line in _read(path)]
        return found + [os.environ[name] for name in self._variables if os.environ.get(name)]


def _read(path: Path) -> list[str]:
    try:
        return read_lines(path)
    except FileNotFoundError:
        return []
