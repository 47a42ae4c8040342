"""A list that is read by windows of days."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from singer_rest.backfill import KEY
from singer_rest.testing import Answer, Output

if TYPE_CHECKING:
    from collections.abc import Callable

    from singer_rest.testing import Asked, Host

WALKS: dict[str, Any] = {"optional_streams": ["walks"], "start_date": "2026-01-01", "end_date": "2026-03-31"}


def until_march(asked: Asked) -> Answer:
    """A row for each window, but none from March on."""
    return Answer({"data": [{"id": asked.query["from"]}]}, 422 if asked.query["to"] > "2026-02-28" else 200)


def test_finished_windows_that_adjoin_are_kept_as_one(run: Callable[..., Output], vendor: Host) -> None:
    vendor.answer = until_march
    first = run("walks", fails=[], window_days=1, **WALKS)
    assert len(first.records("walks")) == len(first.of("STATE")) == 31 + 28
    assert first.state["bookmarks"]["walks"][KEY][1:] == ["2026-01-01/2026-02-28"]


@pytest.mark.parametrize("width", [1, 7, 100])
def test_days_that_are_finished_are_left_out_also_by_windows_of_another_width(
    run: Callable[..., Output], vendor: Host, width: int
) -> None:
    vendor.answer = until_march
    first = run("walks", fails=[], window_days=1, **WALKS)
    vendor.answer = lambda asked: Answer({"data": [{"id": asked.query["from"]}]})
    vendor.asked.clear()
    second = run("walks", state=first.state, window_days=width, **WALKS)
    asked = [(query["from"], query["to"]) for query in vendor.queries("/walks")]
    assert all(last > "2026-02-28" for _, last in asked)
    assert min(asked)[0] <= "2026-03-01"
    assert max(asked)[1] == "2026-03-31"
    assert second.state["bookmarks"]["walks"][KEY] is None


def test_what_changed_is_looked_for_in_all_windows(run: Callable[..., Output], vendor: Host) -> None:
    vendor.answer = lambda asked: Answer({"data": []})
    bookmark = {"replication_key": "updated_at", "replication_key_value": "2026-03-20T00:00:00Z", "version": 3}
    run("walks", state={"bookmarks": {"walks": bookmark}}, max_concurrency=1, **WALKS)
    asked = vendor.queries("/walks")
    assert (asked[0]["from"], asked[-1]["to"]) == ("2026-01-01", "2026-03-31")
    assert {query["changed_after"] for query in asked} == {"2026-03-19T23:55:00Z"}
