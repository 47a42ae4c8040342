"""Pay grades and positions do not leave the tap where pay and job titles do not: Cornerstone keeps them as units."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tap_cornerstone.tap import TapCornerstone

if TYPE_CHECKING:
    from hr_sandbox.testing import Sandbox
    from singer_rest.testing import Output

pytestmark = pytest.mark.slow

KEY = "k" * 32
POSITION, GRADE = 4, 8
DROPPED = {"no-pay": {GRADE}, "minimal": {POSITION, GRADE}}
GRADED = {"user_ou_core", "ou_core", "vw_rpt_ou", "organizational_units", "employees", "vw_rpt_user"}
STREAMS = (*GRADED, "job_requisitions")
CONFIG: dict[str, Any] = {"objects": ["*ou_*core"], "views": ["vw_rpt_ou", "vw_rpt_user*"], "privacy_key": KEY}


def grades_in(output: Output) -> set[str]:
    """Returns the streams that hold a unit's id or title that only units of the type Grade have."""
    return {
        message["stream"]
        for message in output.messages_of("RECORD")
        if any(text in json.dumps(message["record"]) for text in ('"Grade ', '"type": "Grade"'))
        or any(
            isinstance(value, int) and 3_000 < value < 4_000  # the ids of grades in the sandbox
            for name, value in message["record"].items()
            if "ou_id" in name or name in {"id", "user_grade_id", "GradeId"}
        )
    }


@pytest.mark.parametrize("profile", DROPPED)
def test_grades_are_left_out_row_by_row(run: Any, url: str, profile: str, caplog: pytest.LogCaptureFixture) -> None:
    shown = run(url, *STREAMS, **CONFIG)
    assert grades_in(shown) >= GRADED
    output = run(url, *STREAMS, **CONFIG, privacy=profile)
    assert grades_in(output) == set()
    others = [row for row in shown.records("user_ou_core") if row["ou_type_id"] not in DROPPED[profile]]
    assert 0 < len(others) == len(output.records("user_ou_core")) < len(shown.records("user_ou_core"))
    assert "user_ou_core: " in caplog.text
    assert "rows were not loaded: the privacy profile drops rows of their kind" in caplog.text
    assert {row["ou_type_id"] for row in output.records("user_ou_core")}.isdisjoint(DROPPED[profile])
    assert all(row["ous"] for row in output.records("employees") if row["ous"] is not None)


def test_units_of_users_without_their_type_are_not_available_without_pay(url: str) -> None:
    def available(profile: str) -> set[str]:
        credentials = {"client_id": "sandbox-client", "client_secret": "sandbox-secret"}
        tap = TapCornerstone(config={"api_url": url, **credentials, **CONFIG, "privacy": profile})
        return {name for name in tap.streams if "user_ou" in name}

    assert available("pseudonymous") - available("no-pay") == {"vw_rpt_user_ou"}
    assert "user_ou_core" in available("no-pay")


def test_deleted_units_are_found_by_full_reads(run: Any, sandbox: Sandbox, url: str) -> None:
    config = {**CONFIG, "privacy": "minimal"}
    first = run(url, "user_ou_core", **config)
    raw = run(url, "user_ou_core", **CONFIG).records("user_ou_core")
    for kind in (GRADE, 2):
        gone = next(row for row in raw if row["ou_type_id"] == kind)
        sandbox.control("cornerstone/delete", stream="user_ou_core", id=f"{gone['user_id']},{gone['ou_id']}")
    second = run(url, "user_ou_core", **config, state=first.state)
    assert len(second.records("user_ou_core")) == len(first.records("user_ou_core")) - 1
    assert len(second.messages_of("ACTIVATE_VERSION")) == 1
    assert not grades_in(second)
