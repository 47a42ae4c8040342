"""Files that only their owner can read: secrets, keys and the journal."""

from __future__ import annotations

import os
import secrets
import stat
from typing import TYPE_CHECKING

from hr_webhooks.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700


def read_lines(path: Path) -> list[str]:
    """Returns the lines of a file with secrets that are not empty.

    Raises:
        FileNotFoundError: If there is no such file.
        ConfigError: If it cannot be read, or others can read it.
    """
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            content = file.read()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from None
    refuse_exposed(path, status)
    try:
        return list(_strip(content.decode()))
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not text.") from None


def _strip(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if stripped := line.strip():
            yield stripped


def refuse_exposed(path: Path, status: os.stat_result) -> None:
    """Refuses a file that others than its owner can use.

    The group may read a file of root, as orchestrators mount secrets.

    Raises:
        ConfigError: If others can use it.
    """
    of_group = stat.S_IWGRP | stat.S_IXGRP if status.st_uid == 0 else stat.S_IRWXG
    if os.name == "posix" and status.st_mode & (stat.S_IRWXO | of_group):
        raise ConfigError(f"Others can read {path}. Protect it: chmod 600 {path}")


def write_private(path: Path, text: str) -> None:
    """Writes a file that only its owner can read, whole or not at all, and durable on return.

    Raises:
        OSError: If it cannot be written; the former file is as it was.
    """
    make_private_folder(path.parent)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
        with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - a descriptor
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def make_private_folder(folder: Path) -> None:
    """Makes a folder that only its owner can use, unless it exists, and makes its name durable."""
    missing = [each for each in (folder, *folder.parents) if not each.is_dir()]
    for each in reversed(missing):
        each.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
        sync_folder(each.parent)


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
