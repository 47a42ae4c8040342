"""Errors as sentences for the person who runs the target. They never hold a record's content or a secret."""

from __future__ import annotations

import errno

import duckdb


class TargetError(Exception):
    """What went wrong and what to do, in one sentence that is safe to log."""


class OutOfMemoryTargetError(TargetError):
    """DuckDB needs more memory than it had; nothing of the batch is kept."""


class LineError(Exception):
    """What is wrong with the line at hand; the reader adds the line's number and makes it a TargetError."""


class RecordError(LineError):
    """Why a record cannot be loaded, as a sentence that begins with "its record"; its line is as it should be."""


_NO_EXTENSION = "failed to download extension"
# What DuckDB says -> what we say. DuckDB's own sentences may quote values, so they are never passed on.
_DUCKDB_MESSAGES = (
    (
        (_NO_EXTENSION,),
        "DuckDB cannot download an extension that `path` or `attach` needs: check the network, or install it before.",
    ),
    (
        ("no space left", "disk quota", "file too large"),
        "The disk that holds the DuckDB file is full: free some space.",
    ),
    (
        ("out of memory", "memory_limit", "failed to allocate", "could not allocate"),
        "DuckDB needs more memory for this batch: raise the setting memory_limit or lower batch_size_rows.",
    ),
    (("is a directory",), "The setting `path` names a folder: it must name a DuckDB file."),
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
        "The setting `path` names no DuckDB file, or a damaged one: restore it, or name another file.",
    ),
    (
        ("constraint",),
        "A constraint on a table in the DuckDB file refuses what this batch would make of it: drop or change it.",
    ),
    (
        ("failed to write", "could not write", "could not fsync", "input/output error", "failed to truncate"),
        "The DuckDB file could not be written: check the disk that holds it.",
    ),
)


#: What DuckDB says of a constraint -> its kind.
_CONSTRAINTS = {
    "not null": "NOT NULL",
    "check constraint": "CHECK",
    "foreign key": "FOREIGN KEY",
    "primary key or unique": "PRIMARY KEY or UNIQUE",
    "primary key": "PRIMARY KEY",
    "unique": "UNIQUE",
}
_NOT_NULL = "NOT NULL constraint failed: "


def constraint_message(error: duckdb.ConstraintException, stream: str, table: str) -> str:
    """Says which constraint, of the user's own, refuses the records of a stream.

    Args:
        error: The error that DuckDB raised; it quotes values.
        stream: The stream's name.
        table: The name of its table.

    Returns:
        One sentence.
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
        f"Stream '{stream}': a {kind} constraint on {place} refuses what its records say: drop it, or change it."
        " Nothing of this batch was kept."
    )


def duckdb_message(error: duckdb.Error) -> str:
    """Says what a DuckDB error means for the user, without DuckDB's own words.

    Args:
        error: The error that DuckDB raised.

    Returns:
        One sentence, or two.
    """
    text = str(error).lower()
    for phrases, message in _DUCKDB_MESSAGES:
        if any(phrase in text for phrase in phrases):
            return message.format(version=duckdb.__version__)
    return (
        f"DuckDB refused to load a batch ({type(error).__name__}). Nothing of this batch was kept;"
        " its message is not shown because it may hold data."
    )


def is_lock_error(error: duckdb.Error) -> bool:
    """Whether another process has the file open."""
    text = str(error).lower()
    return "could not set lock" in text or "being used by another process" in text


def is_extension_error(error: duckdb.Error) -> bool:
    """Whether an extension of DuckDB is needed and cannot be had."""
    return _NO_EXTENSION in str(error).lower()


def os_error_message(error: OSError, what: str) -> str:
    """Says what an error of the operating system means.

    Args:
        error: The error.
        what: What was being written or read, with the setting that names it.

    Returns:
        One sentence.
    """
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return f"The disk that holds {what} is full: free some space."
    return f"{what} cannot be used: {(error.strerror or type(error).__name__).lower()}."
