"""Types that many modules use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Record = dict[str, Any]
Params = Mapping[str, str | Sequence[str]]
"""Query parameters; one with several values is sent once for each, in their order."""
