"""Type aliases used by many modules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Record = dict[str, Any]
Params = Mapping[str, str | Sequence[str]]
"""Query parameters. One with several values is sent once for each, in order."""
