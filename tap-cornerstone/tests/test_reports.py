"""Reports of imports: how many lines came, whether they came to their end, and in which encoding."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from singer_rest import Reply
from singer_rest.testing import Host, Output, ReceivedRequest, Response
from tap_cornerstone import report_text
from tap_cornerstone.report_text import decode_report

if TYPE_CHECKING:
    from collections.abc import Callable

    from hr_sandbox.testing import Sandbox

    Start = Callable[[Callable[[ReceivedRequest], Response]], Host]

ALL: dict[str, Any] = {"objects": [], "views": [], "optional_streams": ["*"]}
FAST = {"x-csod-throttling-rate-limit-urilevel": "360000000"}
REPORTS = "bulk_import_reports"
HEADER = "User ID,Status"
LINES = [f"ref{number},Success" for number in range(6)]
WHOLE = "\n".join([HEADER, *LINES, ""])


def import_portal(*reports: Any, **counts: Any) -> Callable[[ReceivedRequest], Response]:
    """Returns a portal with one import of six lines. The given responses are those for its report, in order."""
    made = f"{datetime.now(timezone.utc) - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"
    known = {"total_records": len(LINES), "successful_records_with_warnings": 0, "error_records": 0, **counts}
    job = {"id": "j", "status": "COMPLETED", "created_date": made, "imports": [{"id": "i", **known}]}
    answers = iter(reports)

    def respond(request: ReceivedRequest) -> Response:
        if "/imports/" not in request.path:
            return Response({"jobs": [job], "total_count": 1}, headers=FAST)
        found = next(answers)
        return found if isinstance(found, Response) else Response(found.encode(), headers=FAST)

    return respond


def count_downloads(vendor: Host) -> int:
    return len([request for request in vendor.requests if "/imports/" in request.path])


def noted_reports(output: Output) -> list[str]:
    """Returns the reports in the state, without their day."""
    return [text.partition(" ")[2] for text in output.state["bookmarks"][REPORTS]["reports"]]


SHORT = "\n".join([HEADER, *LINES[:2], ""])


@pytest.mark.parametrize("total", [6, "6"], ids=["number", "text"])
def test_report_with_fewer_lines_than_its_import_is_downloaded_again(run: Any, portal: Start, total: Any) -> None:
    vendor = portal(import_portal(SHORT, WHOLE, total_records=total))
    output = run(vendor.url, REPORTS, **ALL)
    assert [record["cells"]["User ID"] for record in output.records(REPORTS)] == [f"ref{n}" for n in range(6)]
    assert noted_reports(output) == ["i/report"]


def test_short_report_is_kept_with_a_warning_and_downloaded_up_to_five_times(
    run: Any, portal: Start, caplog: pytest.LogCaptureFixture
) -> None:
    shorter = "\n".join([HEADER, LINES[0], ""])
    vendor = portal(import_portal(SHORT, shorter, shorter, SHORT, SHORT))
    state: dict[str, Any] = {}
    for count in (2, 4, 5):
        output = run(vendor.url, REPORTS, state=state, **ALL)
        assert len(output.records(REPORTS)) == 2  # the most that came
        assert noted_reports(output) == [f"i/report {count}"]
        assert count_downloads(vendor) == count
        state = output.state
    assert "have fewer lines than their import reports, or are truncated: i/report (2 of 6 lines)." in caplog.text
    assert "skipped from now on" not in caplog.text
    assert run(vendor.url, REPORTS, state=state, **ALL).records(REPORTS) == []
    assert "1 of the reports could not be read completely in the 5 downloads that are possible" in caplog.text


def test_short_report_is_recorded_as_read_once_it_is_complete(run: Any, portal: Start) -> None:
    vendor = portal(import_portal(SHORT, Response({}, 500), WHOLE))
    first = run(vendor.url, REPORTS, **ALL)
    assert len(first.records(REPORTS)) == 2
    second = run(vendor.url, REPORTS, state=first.state, **ALL)
    assert len(second.records(REPORTS)) == 6
    assert noted_reports(second) == ["i/report"]


@pytest.mark.parametrize("response", [Response(b"", 204), Response(b"")], ids=["no content", "nothing"])
def test_empty_report_is_incomplete_if_its_import_has_lines(run: Any, portal: Start, response: Response) -> None:
    vendor = portal(import_portal(response, WHOLE))
    assert len(run(vendor.url, REPORTS, **ALL).records(REPORTS)) == 6
    vendor = portal(import_portal(response, total_records=None))
    assert run(vendor.url, REPORTS, **ALL).records(REPORTS) == []
    assert count_downloads(vendor) == 1


@pytest.mark.parametrize(
    ("kind", "counts"),
    [
        ("report", {"total_records": None, "successful_records": 6}),
        ("errors", {"successful_records": 0, "error_records": None}),
    ],
)
def test_empty_report_is_read_later_if_other_counts_say_it_has_lines(
    run: Any, portal: Start, kind: str, counts: dict[str, Any]
) -> None:
    before = [WHOLE] if kind == "errors" else []
    empty = Response(b"", headers=FAST)
    vendor = portal(import_portal(*before, empty, empty, WHOLE, **counts))
    first = run(vendor.url, REPORTS, **ALL)
    assert f"i/{kind} 2" in noted_reports(first)
    second = run(vendor.url, REPORTS, state=first.state, **ALL)
    assert len(second.records(REPORTS)) == 6
    assert f"i/{kind}" in noted_reports(second)


@pytest.mark.parametrize("total", [6, None])
@pytest.mark.parametrize("end", [-1, -3, -9])
def test_report_with_an_unterminated_last_line_is_read_twice_unless_unchanged(
    run: Any, portal: Start, total: int | None, end: int
) -> None:
    for second in (WHOLE, WHOLE[:end]):
        vendor = portal(import_portal(WHOLE[:end], second, total_records=total))
        output = run(vendor.url, REPORTS, **ALL)
        last = output.records(REPORTS)[-1]["cells"]
        assert last == dict(zip(HEADER.split(","), second.strip().split("\n")[-1].split(","), strict=False))
        assert noted_reports(output) == ["i/report"]
        assert count_downloads(vendor) == 2


def test_stream_fails_after_several_reports_in_a_row_time_out(
    run: Any, portal: Start, caplog: pytest.LogCaptureFixture
) -> None:
    counts = {"successful_records_with_warnings": 2, "error_records": 2}
    vendor = portal(import_portal(*[Response({}, 504, FAST)] * 6, **counts))
    fails: list[Exception] = []
    output = run(vendor.url, REPORTS, fails=fails, **ALL)
    assert fails
    assert "3 reports in a row timed out" in caplog.text
    assert noted_reports(output)[:2] == ["i/report 2", "i/warnings 2"]


BYTES = {
    "UTF-8": ("Zoë,ß".encode(), "", "Zoë,ß"),
    "UTF-8 with a mark": ("\ufeffZoë".encode(), "", "Zoë"),
    "UTF-16 with a mark": ("Zoë".encode("utf-16"), "", "Zoë"),
    "UTF-16 without": ("Zoë".encode("utf-16-le"), "text/csv; charset=UTF-16LE", "Zoë"),
    "named": ("Zoë".encode("cp1252"), 'text/csv; charset="windows-1252"', "Zoë"),
    "named by habit": ("Zoë".encode(), "text/csv; charset=ISO-8859-1", "Zoë"),
    "no encoding": ("Zoë".encode(), "text/csv; charset=base64", "Zoë"),
}


@pytest.mark.parametrize("how", BYTES)
def test_report_is_decoded_with_its_own_encoding(how: str) -> None:
    body, content_type, text = BYTES[how]
    assert decode_report(body, content_type) == (text, False)


def test_undecodable_bytes_are_kept_visibly_and_others_are_unchanged() -> None:
    text, has_undecodable_bytes = decode_report("Zoë ".encode() + b"M\xfcller \\xfc C:\\temp", "")
    assert (text, has_undecodable_bytes) == ("Zoë M\\xfcller \\x5cxfc C:\\temp", True)
    back = text.encode().replace(b"\\xfc", b"\xfc").replace(b"\\x5c", b"\\")
    assert back == "Zoë ".encode() + b"M\xfcller \\xfc C:\\temp"
    assert decode_report("é".encode("utf-16")[:-1], "")[1]


def test_report_with_bytes_that_are_not_utf8_is_named(
    run: Any, portal: Start, caplog: pytest.LogCaptureFixture
) -> None:
    body = WHOLE.replace("ref1", "Zoë").encode().replace(b"ref2", b"ref\xe4")
    vendor = portal(import_portal(Response(body, headers=FAST)))
    output = run(vendor.url, REPORTS, **ALL)
    users = [record["cells"]["User ID"] for record in output.records(REPORTS)]
    assert users[1:3] == ["Zoë", "ref\\xe4"]
    sentence = (
        "1 of the reports hold bytes that are not UTF-8; their cells contain them as \\xe4 and the like: i/report"
    )
    assert sentence in caplog.text
    assert noted_reports(output) == ["i/report"]


@pytest.mark.parametrize(
    ("form", "times"), [("gzip-cut", 1), ("line-cut", 1), ("cut", 1), ("gzip-cut", None), ("line-cut", None)]
)
def test_truncated_report_is_not_recorded_as_read(
    run: Any, sandbox: Sandbox, url: str, form: str, times: int | None
) -> None:
    config = {**ALL, "start_date": sandbox.records("cornerstone", "bulk_jobs")[1]["created_date"][:10]}
    streams = ("bulk_imports", REPORTS)  # a list that is read itself is walked from the start on only
    whole = run(url, *streams, **config)
    assert [row for row in whole.records("bulk_imports") if row["total_records"] > 1]
    sandbox.control("cornerstone/reset-downloads")
    sandbox.control("cornerstone/failure", stream=REPORTS, form=form, times=times)
    fails: list[Exception] = []
    output = run(url, *streams, fails=fails, **config)
    texts = output.state["bookmarks"][REPORTS]["reports"]
    assert all(len(text.split(" ")) == (2 if times else 3) for text in texts)
    if times:
        assert output.records(REPORTS) == whole.records(REPORTS)
        return
    sandbox.control("cornerstone/clear-failures")
    later = run(url, *streams, state=output.state, **config)
    assert later.records(REPORTS) == whole.records(REPORTS)


def test_json_error_is_not_a_report() -> None:
    reply = Reply(200, {}, b'{\n"error": {"message": "later"}\n}', datetime.now(timezone.utc))
    with pytest.raises(ValueError, match="instead of a report"):
        report_text.parse_report(reply)
