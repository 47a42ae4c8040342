"""Writes files that hold personal data."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path


def write_private_file(path: Path, text: str) -> None:
    """Writes a file that only its owner can read. An older one is replaced when the new one is complete.

    Args:
        path: The file, in a folder that exists.
        text: Its content.

    Raises:
        OSError: If it cannot be written.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
