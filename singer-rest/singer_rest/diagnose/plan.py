"""Estimates the requests, rows and minutes of a run, from one request per stream or from none."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from singer_rest import times
from singer_rest.diagnose.duration import Load, total_duration
from singer_rest.diagnose.estimate import (
    Estimate,
    ReadPlan,
    estimate_requests,
    known_parents,
    least_accurate,
    plan_read,
    sum_of_totals,
)
from singer_rest.diagnose.probe import Probe, is_one_list, probe_streams
from singer_rest.diagnose.slice_sampler import SliceSampler

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from singer_rest.diagnose.diagnosable_tap import DiagnosableTap
    from singer_rest.http.request import Request
    from singer_rest.slices.base import Slice
    from singer_rest.stream import RestStream

NOTHING: Mapping[str, Any] = MappingProxyType({})


class RunEstimate:
    """The estimate of one run, from how it reads its streams and from probes.

    Args:
        tap: The tap.
        read: The plans by which the streams are read, by name.
        everything: The plans of full reads of the streams and their parents.
        found: The probes of full reads, by stream.
        lists: Probes of parents without the filter of a start date, since children need the ids of all parents.
        changes: The probes of incremental reads, by stream.
        sampled: Estimates of full reads of which several slices were requested.
    """

    def __init__(
        self,
        tap: DiagnosableTap,
        read: Mapping[str, ReadPlan],
        everything: Mapping[str, ReadPlan],
        found: Mapping[str, Probe],
        *,
        lists: Mapping[str, Probe],
        changes: Mapping[str, Probe] = NOTHING,
        sampled: Mapping[str, Estimate] = NOTHING,
    ) -> None:
        self._tap = tap
        self._read = read
        self._everything = everything
        self._found = found
        self._lists = lists
        self._changes = changes
        self._sampled = sampled
        self._workers = int(tap.config["max_concurrency"])

    def make_report(self) -> dict[str, Any]:
        """Returns the estimates of each stream and of all streams together."""
        lines = [(one.stream, self._estimate_read(one), "") for one in self._read.values()]
        lines += [
            (one.stream, self._estimate_full_read(one, self._lists), f"ids for {', '.join(children)}")
            for one, children in self._separate_reads()
        ]
        loads = [self._make_load(stream, estimated) for stream, estimated, _ in lines]
        whole = total_duration(self._tap.rate_limiter, loads, self._workers)
        return {
            "streams": [
                {"stream": stream.name, "purpose": purpose, **self._as_json(estimated, load)}
                for (stream, estimated, purpose), load in zip(lines, loads, strict=True)
            ],
            "requests": sum(estimated.requests for _, estimated, _ in lines),
            "accuracy": least_accurate(*(estimated.accuracy for _, estimated, _ in lines)),
            "minutes": whole.minutes,
            "limited_by": whole.limited_by,
        }

    def _as_json(self, estimated: Estimate, load: Load) -> dict[str, Any]:
        alone = total_duration(self._tap.rate_limiter, [load], self._workers)
        return {**estimated._asdict(), **alone._asdict()}

    def _make_load(self, stream: RestStream, estimated: Estimate) -> Load:
        found = self._found.get(stream.name)
        seconds = found.seconds if found and found.page else None
        return Load(stream.path, estimated.requests, seconds, stream.prefetches)

    def _estimate_read(self, one: ReadPlan) -> Estimate:
        name = one.stream.name
        if one.is_full:
            return self._estimate_full_read(one)
        changed = name in self._changes and self._changes[name].has_records
        found = self._changes[name] if changed else self._found.get(name)
        # Children that change only together with their parent are those of its changed rows.
        of_changes = one.stream.slices.changed and one.stream.slices.parent in self._changes
        parents = known_parents(one.stream, self._changes if of_changes else self._lists, self._everything)
        estimated = estimate_requests(one, found, parents)
        is_counted = changed or not is_one_list(one.stream)
        return estimated if is_counted else Estimate(1, "at_least", None, "how much has changed is unknown")

    def _estimate_full_read(self, one: ReadPlan, probes: Mapping[str, Probe] | None = None) -> Estimate:
        found = (probes or self._found).get(one.stream.name)
        if one.stream.name in self._sampled:
            return self._sampled[one.stream.name]
        estimated = estimate_requests(one, found, known_parents(one.stream, self._lists, self._everything))
        counted = sum_of_totals(one.stream, self._found)
        if counted is None or not (found and found.page) or found.is_all:
            return estimated
        pages = one.stream.pages_for(counted, found.page.item_count or 1)
        return Estimate(
            max(pages, estimated.requests), "about", counted, f"counted by {' and '.join(one.stream.counted_by)}"
        )

    def _separate_reads(self) -> list[tuple[ReadPlan, list[str]]]:
        """Returns the parents that are read only for their ids, with the names of the children that need the ids."""
        needed: dict[str, list[str]] = {}
        for one in self._read.values():
            self._add_parents(one, needed)
        return [(self._everything[name], children) for name, children in needed.items()]

    def _add_parents(self, one: ReadPlan, needed: dict[str, list[str]]) -> None:
        name = one.stream.slices.parent
        if name is None:
            return
        own, wanted = self._read.get(name), one.parents_since
        # As in `Fetcher`: the parent's own read gives the ids unless its filter leaves out some that are needed.
        if own and (own.since is None or (wanted and own.since <= wanted)):
            return
        children = needed.setdefault(name, [])
        if one.stream.name not in children:
            children.append(one.stream.name)
            self._add_parents(self._everything[name], needed)


def estimate_runs(tap: DiagnosableTap, state: dict[str, Any], *, offline: bool) -> dict[str, Any]:
    """Estimates a full run and, with a state, an incremental run.

    Args:
        tap: The tap, without a state.
        state: The state of the last run.
        offline: Whether to send no request.

    Returns:
        The report, as JSON.

    Raises:
        TapError: If the credentials are rejected, no stream is selected, or the state is not one of this tap.
    """
    if not offline:
        tap.authenticator.token()
    tap.setup_mapper()
    streams: Sequence[RestStream] = tap.selected_streams()
    tap.load_state(state)
    read, changes = {}, {}
    if state:
        read = {stream.name: plan_read(stream) for stream in streams}
        counted = [one.stream for one in read.values() if not one.is_full and one.since and is_one_list(one.stream)]
        changes = {} if offline else probe_streams(tap, counted, _count_request)
    involved = _add_needed_streams(tap, streams)
    for stream in involved:
        stream.reset_read()
    everything = {stream.name: plan_read(stream) for stream in involved}
    parents = {stream.slices.parent for stream in involved}
    filtered = [stream for stream in involved if stream.since and stream.name in parents]
    found = {} if offline else probe_streams(tap, involved, _count_request)
    lists = {} if offline else probe_streams(tap, filtered, _full_count_request)
    sampler = SliceSampler(tap, _count_request)
    totals = {name: sampler.estimate_requests(everything[name], one) for name, one in found.items()}
    sampled = {name: total for name, total in totals.items() if total}
    sent = [*changes.values(), *found.values(), *lists.values(), *sampler.sent]
    selected = {stream.name: everything[stream.name] for stream in streams}
    others: dict[str, Any] = {"lists": {**found, **lists}, "sampled": sampled}
    return {
        "report": "plan",
        "tap": tap.name,
        "version": tap.plugin_version,
        "planned_at": times.format_utc(tap.started.replace(microsecond=0)),
        "requests_sent": sum(one.seconds > 0 for one in sent),
        "full": RunEstimate(tap, selected, everything, found, **others).make_report(),
        "incremental": RunEstimate(tap, read, everything, found, changes=changes, **others).make_report()
        if state
        else None,
    }


def _count_request(stream: RestStream, part: Slice) -> Request:
    return stream.count_request(stream.first_request(part, stream.since))


def _full_count_request(stream: RestStream, part: Slice) -> Request:
    return stream.count_request(stream.first_request(part, None))


def _add_needed_streams(tap: DiagnosableTap, streams: Iterable[RestStream]) -> list[RestStream]:
    """Returns the streams, their parents, and the streams whose totals count the records of another."""
    involved = {stream.name: stream for stream in streams}
    due = list(involved.values())
    while due:
        stream = due.pop()
        for name in (stream.slices.parent, *stream.counted_by):
            if name and name not in involved:
                involved[name] = tap.stream_named(name)
                due.append(involved[name])
    return list(involved.values())
