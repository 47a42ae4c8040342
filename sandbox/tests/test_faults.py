"""Faults hit the requested paths, in the requested order and number."""

from __future__ import annotations

from typing import Any

import pytest
from hr_sandbox.http.arguments import ControlError
from hr_sandbox.http.faults import Fault, Faults

PATHS = ("/personio/v2/persons/1/employments", "/personio/v2/persons/{person_id}/employments")


def fault_kinds(faults: Faults, count: int, **query: str) -> list[str | None]:
    found = [faults.next_fault(PATHS, query) for _ in range(count)]
    return [fault.kind if fault else None for fault in found]


def test_a_fault_applies_to_exactly_the_nth_requests() -> None:
    faults = Faults(0, 7)
    faults.add_fault(Fault(path=PATHS[1], kind="drop", after=2, times=2))
    assert fault_kinds(faults, 6) == [None, None, "drop", "drop", None, None]


def test_a_fault_with_a_query_applies_only_to_it() -> None:
    faults = Faults(0, 7)
    faults.add_fault(Fault(path=PATHS[0], kind="html", query={"limit": "50"}))
    assert fault_kinds(faults, 2) == [None, None]
    assert fault_kinds(faults, 2, limit="50") == ["html", None]
    faults.add_fault(Fault(path=PATHS[0], kind="drop", query={"updated_at": "*"}))
    assert fault_kinds(faults, 1, limit="50") == [None]
    assert fault_kinds(faults, 2, updated_at="2026-01-01") == ["drop", None]


def test_a_fault_without_an_end_applies_until_cleared() -> None:
    faults = Faults(0, 7)
    faults.add_fault(Fault(path=PATHS[0], times=None))
    assert fault_kinds(faults, 3) == ["status"] * 3
    assert faults.clear_faults() == 1
    assert fault_kinds(faults, 1) == [None]


def test_random_faults_are_the_same_for_a_seed() -> None:
    found = [fault_kinds(Faults(0.5, seed), 200) for seed in (1, 1, 2)]
    assert found[0] == found[1] != found[2]
    assert 60 < sum(kind is not None for kind in found[0]) < 140
    assert {"drop", "truncated", "status"} <= set(found[0])


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({}, "path"),
        ({"path": 1}, "path"),
        ({"path": "/personio/v2/persons", "kind": "sad"}, "kind"),
        ({"path": "/personio/v2/persons", "status": 200}, "status"),
        ({"path": "/personio/v2/persons", "status": "503"}, "status"),
        ({"path": "/personio/v2/persons", "times": 0}, "times"),
        ({"path": "/personio/v2/persons", "after": -1}, "after"),
        ({"path": "/personio/v2/persons", "query": []}, "query"),
        ({"path": "/personio/v2/persons", "status": 429.0}, "status"),
        ({"path": "/personio/v2/persons", "seconds": "1"}, "seconds"),
        ({"path": "/personio/v2/persons", "seconds": True}, "seconds"),
        ({"path": "/personio/v2/persons", "seconds": -1}, "seconds"),
        ({"path": "/personio/v2/persons", "seconds": 1e15}, "seconds"),
        ({"path": "/personio/v2/persons", "seconds": float("nan")}, "seconds"),
        ({"path": "/personio/v2/persons", "form": "week"}, "form"),
        ({"path": "/personio/v2/persons", "page": 2}, "page"),
    ],
)
def test_invalid_faults_are_rejected(body: dict[str, Any], word: str) -> None:
    with pytest.raises(ControlError, match=word):
        Fault.from_json(body)


def test_a_retry_after_is_a_429() -> None:
    assert Fault.from_json({"path": "/x", "kind": "retry-after"}).status == 429
    assert Fault.from_json({"path": "/x"}).status == 503
