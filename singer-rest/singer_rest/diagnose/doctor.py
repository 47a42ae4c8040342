"""Checks what a credential may read: the connection, then each stream with one request."""

from __future__ import annotations

from collections import Counter
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeAlias

from singer_rest import times
from singer_rest.diagnose.connection import Check, check_connection, check_credentials
from singer_rest.diagnose.probe import Probe, probe_streams
from singer_rest.errors import AccessDeniedError, TapError, describe_error
from singer_rest.fetch.meanings import Meaning
from singer_rest.singer.schemas import EXTRA

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from singer_rest.aliases import Record
    from singer_rest.diagnose.diagnosable_tap import DiagnosableTap
    from singer_rest.http.request import Request
    from singer_rest.slices.base import Slice
    from singer_rest.stream import RestStream

Finding: TypeAlias = "dict[str, Any]"
"""The results for a stream, as a JSON object."""
PARENTS_SAMPLED = 20
"""Records to request of a stream that others need parents from: not each parent has children."""

MIN_SAMPLE = 5
"""Number of records from which on a column without any value is worth a note."""

READABLE = "readable"
NO_PERMISSION = "no_permission"
NOT_LICENSED = "not_licensed"
SWITCHED_OFF = "switched_off"
FAILED = "failed"
NOT_CHECKED = "not_checked"

NO_RECORD = "no record: there is none, or the permissions hide all of them"
PAGE_VERDICTS = {
    Meaning.PARENT_FORBIDDEN: (NO_PERMISSION, "refused for each record of {parent} that was tried"),
    Meaning.PARENT_GONE: (NO_PERMISSION, "not found for records of {parent} that were just listed"),
    Meaning.UNREADABLE: (FAILED, "the vendor cannot return the part that was requested"),
}


def check_tap(tap: DiagnosableTap, state: dict[str, Any]) -> dict[str, Any]:
    """Checks the connection and the selected streams.

    Args:
        tap: The tap, without a state.
        state: The state of the last run.

    Returns:
        The report, as JSON. It holds no value of a record.

    Raises:
        RunError: If the state is not one of this tap.
    """
    credential = check_credentials(tap)
    streams: Sequence[RestStream] = []
    catalog = Check("unknown", "not checked")
    if credential.status == "ok":
        streams, catalog = _select_streams(tap, state)
    bookmarks = {stream.name: _describe_bookmark(stream) for stream in streams}
    for stream in streams:
        stream.reset_read()  # any records will do, not only those that changed
    sampled = _probe_samples(tap, streams)
    if sampled and all(_is_unauthorized(found) for found in sampled.values()):
        credential = Check(
            "failed", "the vendor rejects them for every stream: they are wrong or expired, or have no permission"
        )
    findings = [{**_make_finding(stream, sampled[stream.name]), **bookmarks[stream.name]} for stream in streams]
    verdicts = Counter(finding["verdict"] for finding in findings)
    return {
        "report": "doctor",
        "tap": tap.name,
        "version": tap.plugin_version,
        "checked_at": times.format_utc(tap.started.replace(microsecond=0)),
        "is_usable": verdicts[READABLE] > 0,
        "connection": {
            name: check._asdict() for name, check in {**check_connection(tap, credential), "catalog": catalog}.items()
        },
        "verdicts": dict(sorted(verdicts.items())),
        "streams": findings,
        "advice": _make_advice(tap, streams, findings),
        "off": _disabled_streams(tap, streams) if streams else {},
    }


def _select_streams(tap: DiagnosableTap, state: dict[str, Any]) -> tuple[Sequence[RestStream], Check]:
    """Returns the selected streams, and the check of the vendor's catalog from which the tap discovers streams."""
    try:
        tap.setup_mapper()
        streams = tap.selected_streams()
    except TapError as error:
        return [], Check("failed", describe_error(error))
    tap.load_state(state)
    problems = " ".join(tap.discovery_problems)
    return streams, Check("warning", problems) if problems else Check("ok", f"{len(streams)} streams are selected")


def _is_unauthorized(found: Probe) -> bool:
    return isinstance(found.error, AccessDeniedError) and found.error.status == HTTPStatus.UNAUTHORIZED


def _probe_samples(tap: DiagnosableTap, streams: Sequence[RestStream]) -> dict[str, Probe]:
    parents = {stream.slices.parent for stream in streams}
    parents |= {tap.stream_named(name).slices.parent for name in parents if name}

    def sample_request_of(stream: RestStream, part: Slice) -> Request:
        size = PARENTS_SAMPLED if stream.name in parents else stream.sample_size
        return stream.sample_request(stream.first_request(part, None), max(size, stream.sample_size))

    return probe_streams(tap, streams, sample_request_of)


def _describe_bookmark(stream: RestStream) -> dict[str, Any]:
    """Describes how a stream is replicated, and its bookmark."""
    value = stream.stream_state.get("replication_key_value")
    key = "the start of the run" if stream.bookmark_is_run_start else stream.replication_key
    is_incremental = stream.replication.has_bookmark
    try:
        age = (stream.started - times.parse(value or "")).total_seconds()
    except (ValueError, AttributeError, TypeError):
        value = age = None
    return {
        "replication": "incremental" if is_incremental else "full",
        "incremental_by": key if is_incremental else None,
        "bookmark": value,
        "bookmark_age_seconds": age and round(age),
    }


def _make_finding(stream: RestStream, found: Probe) -> Finding:
    verdict, detail = _judge_stream(stream, found)
    records = list(found.page.records) if found.page and verdict == READABLE else []
    hidden = _hidden_columns(stream, found, records)
    if stream.replication_key in hidden:
        detail = f"without {stream.replication_key}, each run reads everything"
    refused = found.blocked_by.stream if found.blocked_by else stream
    return {
        "stream": stream.name,
        "verdict": verdict,
        "detail": detail,
        "permission": refused.permission,
        "rows": found.total if verdict == READABLE and found.is_of_stream else None,
        "records_read": len(records),
        "empty_columns": hidden,
        "seconds": round(found.seconds, 3),
    }


def _judge_stream(stream: RestStream, found: Probe) -> tuple[str, str]:
    """Returns the verdict on a stream, and a detail that explains the verdict."""
    if found.blocked_by:
        verdict, _ = _judge_stream(found.blocked_by.stream, found.blocked_by)
        return verdict, f"its parent stream {stream.slices.parent} could not be read"
    if found.error:
        return _judge_error(stream, found.error)
    if found.page is None:
        return NOT_CHECKED, found.skip_reason
    if found.page.meaning is Meaning.PARENT_REFUSED:
        return FAILED, _without_stream_name(stream, found.page.why)
    if found.page.meaning in PAGE_VERDICTS:
        verdict, detail = PAGE_VERDICTS[found.page.meaning]
        return verdict, detail.format(parent=stream.slices.parent)
    return READABLE, "" if found.page.records else NO_RECORD


def _judge_error(stream: RestStream, error: Exception) -> tuple[str, str]:
    if not isinstance(error, AccessDeniedError):
        return FAILED, _without_stream_name(stream, describe_error(error))
    detail = f"status {error.status}" if error.status else _without_stream_name(stream, str(error))
    if error.not_licensed:
        return (SWITCHED_OFF if error.status == HTTPStatus.GONE else NOT_LICENSED), detail
    return NO_PERMISSION, detail


def _without_stream_name(stream: RestStream, sentence: str) -> str:
    return sentence.removeprefix(f"{stream.name}: ")


def _hidden_columns(stream: RestStream, found: Probe, records: list[Record]) -> list[str]:
    """Returns the columns that are empty in each record. The credential probably may not read them."""
    if not (records and stream.hidden_columns and found.page):
        return []
    rows = stream.process_records(records)
    given = {*stream.primary_keys, *found.page.slice.columns, EXTRA}
    columns = [name for name in stream.schema["properties"] if name not in given]
    if stream.hidden_columns == "absent":
        return [name for name in columns if not any(name in row for row in rows)]
    if len(rows) < MIN_SAMPLE:
        return []
    return [name for name in columns if all(row.get(name) is None for row in rows)]


def _make_advice(
    tap: DiagnosableTap, streams: Sequence[RestStream], findings: Sequence[Finding]
) -> list[dict[str, Any]]:
    """Returns advice to the user: which permissions to grant and where, then which columns to allow."""
    advice = [{"advice": problem, "for": {}} for problem in tap.discovery_problems]
    for verdict, what in (
        (NO_PERMISSION, f"Grant these permissions. {tap.permission_advice}"),
        (NOT_LICENSED, "Add these modules to the company's plan, or deselect their streams."),
    ):
        needed: dict[str, list[str]] = {}
        for finding in findings:
            if finding["verdict"] == verdict and finding["permission"]:
                needed.setdefault(finding["permission"], []).append(finding["stream"])
        if needed:
            advice.append({"advice": what.rstrip(), "for": needed})
    hidden: dict[str, dict[str, list[str]]] = {}
    for stream, finding in zip(streams, findings, strict=True):
        if finding["empty_columns"]:
            labels = [stream.column_label(name) for name in finding["empty_columns"]]
            hidden.setdefault(stream.hidden_columns_advice, {})[stream.name] = labels
    for what, columns in hidden.items():
        advice.append(
            {"advice": f"These columns are empty in all records that were read. {what}".rstrip(), "for": columns}
        )
    return advice


def _disabled_streams(tap: DiagnosableTap, streams: Iterable[RestStream]) -> dict[str, str]:
    """Returns the disabled streams, each with the setting that enables it."""
    known = {stream.name for stream in streams}
    return {
        stream_type.name: stream_type.setting or "optional_streams"
        for stream_type in tap.stream_types
        if stream_type.name not in known and (stream_type.optional or stream_type.setting)
    }
