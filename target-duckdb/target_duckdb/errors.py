"""Errors with messages for the user. Messages never contain record data or secrets."""

from __future__ import annotations

import errno
import re
from pathlib import PurePath

import duckdb


class TargetError(Exception):
    """Ends the run. The message says what went wrong and what to do, and is safe to log."""


class OutOfMemoryTargetError(TargetError):
    """DuckDB ran out of memory; the batch was rolled back."""


class LockedTargetError(TargetError):
    """Another process has the file open."""


class LineError(Exception):
    """The current line cannot be loaded. The reader adds the line number and raises a TargetError."""


class RecordError(LineError):
    """A record cannot be loaded, though its line is valid. The message starts with "its record"."""


_NO_EXTENSION = "failed to download extension"
# Phrases in DuckDB's messages -> our message. DuckDB's own text may quote values, so it is never shown.
_DUCKDB_MESSAGES = (
    (
        (_NO_EXTENSION,),
        "DuckDB cannot download an extension that `path` or `attach` needs: check the network, or install it first.",
    ),
    (
        ("no space left", "disk quota", "file too large"),
        "The disk that holds the DuckDB file is full: free some space.",
    ),
    (
        ("out of memory", "memory_limit", "failed to allocate", "could not allocate"),
        "DuckDB needs more memory for this batch: raise the setting memory_limit or lower batch_size_rows.",
    ),
    (("is a directory",), "The setting `path` is a folder: it must be a DuckDB file."),
    (
        ("permission denied", "read-only"),
        "The DuckDB file cannot be written: check its permissions, or the setting `path`.",
    ),
    (
        ("no such file or directory", "not a directory"),
        "The DuckDB file cannot be opened: create its folder, or change the setting `path`.",
    ),
    (
        ("version number", "newer version", "can only read version", "storage version"),
        "The DuckDB file was written by a version of DuckDB that this one ({version}) cannot read: upgrade duckdb.",
    ),
    (
        ("not a valid duckdb", "corrupt", "checksum", "could not read enough bytes", "extension", "wal file"),
        "The setting `path` names a file that is damaged or not a DuckDB file: restore it, or name another file.",
    ),
    (
        ("constraint",),
        "A constraint in the DuckDB file rejects this batch: drop or change it.",
    ),
    (
        ("failed to write", "could not write", "could not fsync", "input/output error", "failed to truncate"),
        "The DuckDB file could not be written: check the disk that holds it.",
    ),
)


#: Phrases in DuckDB's messages -> kind of constraint.
_CONSTRAINTS = {
    "not null": "NOT NULL",
    "check constraint": "CHECK",
    "foreign key": "FOREIGN KEY",
    "primary key or unique": "PRIMARY KEY or UNIQUE",
    "primary key": "PRIMARY KEY",
    "unique": "UNIQUE",
}
_HOLDER = re.compile(r"lock is held in (.+) \(PID (\d+)\)")
_NOT_NULL = "NOT NULL constraint failed: "


def constraint_message(error: duckdb.ConstraintException, stream: str, table: str) -> str:
    """Returns an error message that names the user-defined constraint which rejects the records of a stream.

    Args:
        error: The error raised by DuckDB, whose text may quote values.
        stream: The stream's name.
        table: The name of its table.
    """
    text = str(error)
    kind = next((kind for phrase, kind in _CONSTRAINTS.items() if phrase in text.lower()), "")
    place = f"table '{table}'"
    if _NOT_NULL in text:
        column = text.partition(_NOT_NULL)[2].removeprefix(f"{table}.").removeprefix(f'"{table}".').strip('"')
        place = f"column '{column}' of table '{table}'"
    if kind == "FOREIGN KEY" and "still referenced" in text:
        place += " from another table"
    return (
        f"Stream '{stream}': a {kind} constraint on {place} rejects its records: drop or change it."
        " The batch was rolled back."
    )


def duckdb_message(error: duckdb.Error) -> str:
    """Describes a DuckDB error without quoting DuckDB's text.

    Args:
        error: The error raised by DuckDB.
    """
    text = str(error).lower()
    for phrases, message in _DUCKDB_MESSAGES:
        if any(phrase in text for phrase in phrases):
            return message.format(version=duckdb.__version__)
    return (
        f"DuckDB failed to load a batch ({type(error).__name__}). The batch was rolled back;"
        " DuckDB's message is not shown because it may contain data."
    )


def is_lock_error(error: duckdb.Error) -> bool:
    """Whether another process has the file open."""
    text = str(error).lower()
    return "could not set lock" in text or "being used by another process" in text


def lock_holder(error: duckdb.Error) -> str:
    """Returns the process that has the file open, in parentheses. Empty if DuckDB does not tell."""
    match = _HOLDER.search(str(error))
    return f" ({PurePath(match[1]).name}, process {match[2]})" if match else ""


def is_extension_error(error: duckdb.Error) -> bool:
    """Whether a required DuckDB extension could not be downloaded."""
    return _NO_EXTENSION in str(error).lower()


def os_error_message(error: OSError, what: str) -> str:
    """Describes an error of the operating system.

    Args:
        error: The error.
        what: What was being read or written, including the setting that names it.
    """
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return f"The disk that holds {what} is full: free some space."
    return f"{what} cannot be used: {(error.strerror or type(error).__name__).lower()}."
