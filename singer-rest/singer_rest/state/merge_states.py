"""Merges the states of all parts of a back-fill into the state from which the next run goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_rest import times
from singer_rest.errors import RunError
from singer_rest.slices.part import Part
from singer_rest.state import checkpoint, part_read
from singer_rest.state.part_read import PartRead
from singer_rest.state.replication import FORBIDDEN_PARENTS, FULL_READ_DUE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    State = dict[str, Any]

BOOKMARK = "replication_key_value"
OWN_KEYS = frozenset({BOOKMARK, FORBIDDEN_PARENTS, FULL_READ_DUE, checkpoint.KEY, part_read.KEY})
"""The keys of a stream's state that are not the same in all parts."""


def merge_states(states: Mapping[str, State], tap: str) -> tuple[State, list[str]]:
    """Merges the states of the parts.

    Args:
        states: The state of each part, by the name of its file.
        tap: Name of the tap.

    Returns:
        The merged state, and the names of the streams that the next run has to read in full.

    Raises:
        RunError: If the states do not belong together, or one is missing or incomplete.
    """
    parts = _order_parts(states, tap)
    names = sorted({name for streams in parts.values() for name in streams})
    merged, due = {}, []
    for name in names:
        for part, streams in parts.items():
            if name not in streams:
                raise RunError(f"{name} was not selected in part {part}. Run that part again with the same selection.")
        found = {part: streams[name] for part, streams in parts.items()}
        merged[name] = _merge_stream(name, found)
        if merged[name].get(FULL_READ_DUE):
            due.append(name)
    return {"bookmarks": merged}, due


def _order_parts(states: Mapping[str, State], tap: str) -> dict[Part, dict[str, State]]:
    """Returns the states of the streams of each part, the parts in order."""
    found: dict[Part, str] = {}
    settings = set()
    for file, state in states.items():
        reads = [_part_read(file, part) for part in _bookmarks(file, state).values()]
        if any(read.tap != tap for read in reads):
            raise RunError(f"{file} is a state of {reads[0].tap}, not of {tap}.")
        settings |= {read.settings for read in reads}
        part = _parse_part(file, {read.slice for read in reads})
        if part in found:
            raise RunError(f"{found[part]} and {file} are both of part {part}.")
        found[part] = file
    counts = {part.count for part in found}
    if len(counts) > 1:
        raise RunError(f"The parts do not belong together: {' and '.join(str(part) for part in sorted(found))}.")
    missing = [str(part) for number in range(1, max(counts) + 1) if (part := Part(number, max(counts))) not in found]
    if missing:
        raise RunError(f"The state of part {', '.join(missing)} is missing. Pass the states of all parts.")
    if len(settings) > 1:
        raise RunError("The parts were read with different settings. Run them again with the same ones.")
    return {part: states[found[part]]["bookmarks"] for part in sorted(found)}


def _bookmarks(file: str, state: State) -> dict[str, State]:
    streams = state.get("bookmarks")
    if not (isinstance(streams, dict) and streams and all(isinstance(part, dict) for part in streams.values())):
        raise RunError(f"{file} is not the state of a part: it holds no stream.")
    return streams


def _part_read(file: str, state: State) -> PartRead:
    if (read := PartRead.find(state)) is None:
        raise RunError(f"{file} is not the state of a part: the run had no `slice`.")
    return read


def _parse_part(file: str, texts: set[str]) -> Part:
    try:
        (text,) = texts
        return Part.parse(text)
    except ValueError:
        raise RunError(f"{file} is the state of several parts. Give each part a state of its own.") from None


def _merge_stream(name: str, states: Mapping[Part, State]) -> State:
    reads = {part: _part_read(name, state) for part, state in states.items()}
    if left := [str(part) for part, read in reads.items() if read.outcome == "unfinished" or read.checkpoint is None]:
        raise RunError(f"{name} was not read completely in part {', '.join(left)}. Run that again with its state.")
    # Where a part could read none of its parents, others may have read theirs.
    skipped = [str(part) for part, read in reads.items() if read.outcome == "skipped" and not read.forbidden]
    if skipped and any(read.outcome in {"read", "incomplete"} for read in reads.values()):
        raise RunError(
            f"{name} was skipped for lack of permission in part {', '.join(skipped)}, but read in others. Run that "
            "again with its state."
        )
    merged: State = {}
    for key in sorted({key for state in states.values() for key in state} - OWN_KEYS):
        values = [(part, state[key]) for part, state in states.items() if state.get(key) is not None]
        merged[key] = _merge_values(f"`{key}` of {name}", values)
    checkpoints = [read.checkpoint for read in reads.values() if read.checkpoint]
    # The default window has moved between the starts of the parts, so some of it may not have been read.
    has_moved = len({found.config_fingerprint.get("first_boundary") for found in checkpoints}) > 1
    if has_moved or any(read.outcome == "incomplete" for read in reads.values()):
        merged[FULL_READ_DUE] = True
    elif bookmarks := [state[BOOKMARK] for state in states.values() if BOOKMARK in state]:
        merged[BOOKMARK] = None
        if None not in bookmarks:
            # What changed after the first start may have been missed by a part that had read it by then.
            latest, first_start = (
                max(map(times.parse, bookmarks)),
                min(times.parse(found.began) for found in checkpoints),
            )
            merged[BOOKMARK] = times.format_utc(min(latest, first_start))
    if any(FORBIDDEN_PARENTS in state for state in states.values()):
        merged[FORBIDDEN_PARENTS] = sum(read.forbidden for read in reads.values())
    return merged


def _merge_values(what: str, values: Sequence[tuple[Part, Any]]) -> Any:  # noqa: ANN401 - what streams remember
    """Merges the values of a key: objects by their keys, lists into one. Others have to be equal."""
    found = [value for _, value in values]
    if found and all(isinstance(value, list) for value in found):
        return sorted({text for value in found for text in value})
    if found and all(isinstance(value, dict) for value in found):
        return {key: value for one in found for key, value in one.items()}
    for part, value in values:
        if value != found[0]:
            raise RunError(f"Parts {values[0][0]} and {part} do not belong together: {what} differs.")
    return found[0] if found else None
