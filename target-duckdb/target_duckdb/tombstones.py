"""Marks of people who were erased: keyed hashes of their identifiers, by which loads leave them out.

Whoever has the key can compute the marks of known identifiers, and so tell who was erased. Without the key, a mark
tells nothing but that somebody was erased, and when.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from target_duckdb.errors import TargetError, os_error_message
from target_duckdb.people import normalized, normalized_sql

if TYPE_CHECKING:
    from collections.abc import Iterable

    import duckdb

_KEY_BYTES = 32
_MARK_LENGTH = 32
_BLOCK = 64
_CHECK = "check"
_SETTING = "the file in `tombstone_key_file`"


class Marker:
    """Computes marks.

    Args:
        key: The secret.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def mark(self, space: str, value: str) -> str:
        """Returns the mark of an identifier."""
        text = f"{space}\n{normalized(value)}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._key, text, "sha256").hex()[:_MARK_LENGTH]

    @property
    def key_check(self) -> str:
        """Tells whether marks were made with this key."""
        return self.mark(_CHECK, "")

    def create_macro(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Creates the temporary macro `mark(space, value)`, which computes marks in SQL."""
        key = hashlib.sha256(self._key).digest() if len(self._key) > _BLOCK else self._key
        inner, outer = (bytes(byte ^ pad for byte in key.ljust(_BLOCK, b"\0")) for pad in (0x36, 0x5C))
        connection.execute("CREATE OR REPLACE TEMP TABLE _pads AS SELECT $1::BLOB AS i, $2::BLOB AS o", [inner, outer])
        for name in ("i", "o"):
            connection.execute(f"SET VARIABLE target_duckdb_{name} = (SELECT {name} FROM temp.main._pads)")  # noqa: S608 - own names
        connection.execute("DROP TABLE temp.main._pads")
        message = f"encode(space || chr(10) || {normalized_sql('value')})"
        inside = f"unhex(sha256(getvariable('target_duckdb_i') || {message}))"
        connection.execute(
            "CREATE OR REPLACE TEMP MACRO mark(space, value) AS"
            f" left(sha256(getvariable('target_duckdb_o') || {inside}), {_MARK_LENGTH})"
        )


def read_key(path: str) -> Marker:
    """Reads the key of the marks.

    Raises:
        TargetError: The file cannot be read, is too short, or others can read it.
    """
    file = Path(path)
    try:
        mode, key = file.stat().st_mode, file.read_bytes().strip()
    except OSError as error:
        raise TargetError(f"{os_error_message(error, _SETTING.capitalize())}") from None
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise TargetError(f"Others can read {_SETTING}. Protect it: chmod 600 FILE.")
    if len(key) < _KEY_BYTES:
        raise TargetError(f"The key in {_SETTING} is too short: it needs at least {_KEY_BYTES} bytes.")
    return Marker(key)


def create_key(path: str) -> None:
    """Creates the file with the key if it does not exist, readable by its owner only.

    Raises:
        TargetError: It cannot be created.
    """
    file = Path(path)
    if file.exists():
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as text:
            text.write(secrets.token_hex(_KEY_BYTES) + "\n")
            text.flush()
            os.fsync(text.fileno())
    except OSError as error:
        raise TargetError(os_error_message(error, _SETTING.capitalize())) from None


def check_key(marker: Marker, key_checks: Iterable[str]) -> None:
    """Checks that existing marks were made with a key.

    Raises:
        TargetError: They were not.
    """
    if any(check != marker.key_check for check in key_checks):
        raise TargetError(
            "The marks of forgotten people in the DuckDB file were made with another key: set `tombstone_key_file` to"
            " the file with that key."
        )
