"""The reports as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_rest.http.retries import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MAX_LISTED = 12
MARKS = {
    "ok": "ok",
    "warning": "WARNING",
    "failed": "FAILED",
    "unknown": "unknown",
    "readable": "ok",
    "no_permission": "NO PERMISSION",
    "not_licensed": "NOT LICENSED",
    "switched_off": "SWITCHED OFF",
    "not_checked": "not checked",
}
NOUNS = {
    "readable": "readable",
    "no_permission": "without permission",
    "not_licensed": "not licensed",
    "switched_off": "switched off by the vendor",
    "failed": "failed",
    "not_checked": "not checked",
}


def format_doctor_report(report: dict[str, Any]) -> str:
    """Formats the report of `--doctor` as text."""
    return "\n".join(_doctor_lines(report))


def _doctor_lines(report: dict[str, Any]) -> Iterator[str]:
    yield f"{report['tap']} {report['version']}, {report['checked_at']}"
    yield from ("", "Connection")
    checks = report["connection"].items()
    yield from _format_table([(MARKS[check["status"]], name, check["detail"]) for name, check in checks])
    counts = report["verdicts"]
    verdicts = ", ".join(f"{counts[name]} {noun}" for name, noun in NOUNS.items() if name in counts)
    yield from ("", f"Streams: {verdicts or 'not checked'}")
    yield from _format_table([_stream_row(one) for one in report["streams"]])
    if report["off"]:
        by_setting: dict[str, list[str]] = {}
        for name, setting in report["off"].items():
            by_setting.setdefault(setting, []).append(name)
        yield from ("", "Off unless a setting enables them")
        yield from _format_table([(setting, ", ".join(names)) for setting, names in by_setting.items()])
    for number, item in enumerate(report["advice"], 1):
        yield from ("", f"{number}. {item['advice']}")
        yield from _format_table([(name, _join_first(names, MAX_LISTED)) for name, names in item["for"].items()])


def _stream_row(finding: dict[str, Any]) -> tuple[str, ...]:
    rows = "" if finding["rows"] is None else _count_noun(finding["rows"], "row")
    by = finding["incremental_by"]
    bookmark = ""
    if finding["bookmark"]:
        age = format_duration(max(finding["bookmark_age_seconds"], 0))
        bookmark = f"bookmark {finding['bookmark']}, {age} old"
    details = [finding["detail"]]
    if finding["verdict"] != "readable" and finding["permission"]:
        details.insert(0, f"needs {finding['permission']}")
    if hidden := finding["empty_columns"]:
        details.append(f"{_count_noun(len(hidden), 'column')} empty: {_join_first(hidden, 3)}")
    detail = "; ".join(filter(None, details))
    return MARKS[finding["verdict"]], finding["stream"], rows, f"by {by}" if by else "full", bookmark, detail


def _count_noun(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _join_first(names: Sequence[str], most: int) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def _format_table(rows: Sequence[Iterable[str]]) -> Iterator[str]:
    """Yields lines of aligned columns."""
    cells = [[*row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        padded = (text.ljust(width) for text, width in zip(row, widths, strict=True) if width)
        yield f"  {'  '.join(padded)}".rstrip()


def format_plan_report(report: dict[str, Any]) -> str:
    """Formats the report of `--plan` as text."""
    return "\n".join(_plan_lines(report))


def _plan_lines(report: dict[str, Any]) -> Iterator[str]:
    sent = _count_noun(report["requests_sent"], "request")
    yield f"{report['tap']} {report['version']}, {report['planned_at']}, estimated from {sent}"
    for title, name in (("Full run", "full"), ("Incremental run", "incremental")):
        run = report[name]
        if run is None:
            continue
        yield from ("", title)
        rows = [("stream", "rows", "requests", "minutes", "note"), *(_plan_row(one) for one in run["streams"])]
        minutes = _format_minutes(run, run["accuracy"])
        total = (
            "total",
            "",
            _format_number(run["requests"], run["accuracy"]),
            minutes,
            _describe_limit(run["limited_by"]),
        )
        yield from _format_table([*rows, total])
    yield from ("", "Streams are read at the same time, so the total of minutes is that of the slowest limit.")


def _plan_row(line: dict[str, Any]) -> tuple[str, ...]:
    rows = "unknown" if line["rows"] is None else f"{line['rows']:,}"
    requests = _format_number(line["requests"], line["accuracy"])
    return line["stream"], rows, requests, _format_minutes(line, line["accuracy"]), line["purpose"] or line["note"]


def _format_number(number: int, accuracy: str) -> str:
    words = {"exact": "", "about": "about ", "at_least": "at least "}
    return f"{words[accuracy]}{number:,}"


def _format_minutes(line: dict[str, Any], accuracy: str) -> str:
    if line["minutes"] is None:
        return "unknown"
    return f"{'at least ' if accuracy == 'at_least' else ''}{line['minutes']:.1f}"


def _describe_limit(limited_by: str | None) -> str:
    if limited_by is None:
        return "the vendor documents no limit"
    names = {"": "`requests_per_minute`", "answers": "the vendor's response times"}
    return f"limited by {names.get(limited_by, limited_by)}"
