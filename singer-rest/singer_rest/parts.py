"""Reads a part of a back-fill: the setting `slice`."""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import msgspec

from singer_rest.errors import RunError
from singer_rest.slices.part import Part
from singer_rest.state import part_read
from singer_rest.state.part_read import PartRead

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from singer_rest.singer.sync import SyncedStream

NEUTRAL = frozenset(
    {
        "max_concurrency",
        "max_wait",
        "metadata_cache_hours",
        "metrics_file",
        "on_missing_access",
        "privacy_agreement",
        "requests_per_minute",
        "request_timeout",
        "slice",
        "token_file",
        "user_agent",
    }
)
"""The settings that do not decide which records are read. The parts may differ in them, and in their credentials."""


def check_slice(config: Mapping[str, Any]) -> list[str]:
    """Returns a sentence if the setting `slice` is invalid."""
    text = config.get("slice")
    try:
        part = Part.parse(text) if text else None
    except ValueError as error:
        return [str(error)]
    others = [name for name in ("only", "confirm_deleted") if config.get(name)]
    return [f"Set `slice` or `{others[0]}`, not both."] if part and others else []


def part_of(config: Mapping[str, Any]) -> Part | None:
    """Returns the part that the settings name. None: everything is read."""
    return Part.parse(config["slice"]) if config.get("slice") else None


def check_state(part: Part | None, bookmarks: Mapping[str, Mapping[str, Any]]) -> None:
    """Checks that the state of the previous run is of the same part, or of no part if everything is read.

    Raises:
        RunError: If it is not.
    """
    for state in bookmarks.values():
        if not state:
            continue
        found = PartRead.find(state)
        if part is None and state.get(part_read.KEY):
            raise RunError(
                f"The state is of part {found.slice if found else '?'} of a back-fill. Merge the states of all parts "
                "with --merge-states and pass the result, or set `slice` to continue this part."
            )
        if part and (found is None or found.slice != str(part)):
            whose = f"part {found.slice}" if found else "a run without `slice`"
            raise RunError(
                f"The state is of {whose}, not of part {part}. Give each part a state of its own (with Meltano: "
                "--state-id-suffix), which is empty at first."
            )


def claim_state(
    tap: str, part: Part, config: Mapping[str, Any], secret: Collection[str], states: Iterable[dict[str, Any]]
) -> None:
    """Names the part in the states of the streams.

    Args:
        tap: Name of the tap.
        part: The part.
        config: The settings.
        secret: The settings that hold credentials or other secrets.
        states: The states of the streams.

    Raises:
        RunError: If an earlier run of this part had other settings.
    """
    kept = {name: value for name, value in config.items() if name not in NEUTRAL | {*secret} and name[:1] != "_"}
    text = json.dumps(kept, sort_keys=True, default=str)
    fresh = PartRead(tap, str(part), blake2b(text.encode(), digest_size=8).hexdigest())
    for state in states:
        found = PartRead.find(state)
        if found and found.settings != fresh.settings:
            raise RunError(
                f"Part {part} was begun with other settings. Run it with those again, or with an empty state."
            )
        if not found:
            state[part_read.KEY] = msgspec.to_builtins(fresh)


def left_to_read(streams: Sequence[SyncedStream]) -> list[SyncedStream]:
    """Returns the streams that earlier runs of this part have not read."""
    done = {"read", "nothing"}
    return [s for s in streams if (found := PartRead.find(s.stream_state)) is None or found.outcome not in done]
