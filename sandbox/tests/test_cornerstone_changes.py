"""Changes: timestamps, the order of rows, delta links, expired links."""

from __future__ import annotations

from typing import Any

import pytest
from hr_sandbox.cornerstone.tables import TOUCHED
from hr_sandbox.http.arguments import ControlError

TRACK = "odata.track-changes"
FIVE = "odata.maxpagesize=5"
DELTA = "@odata.deltaLink"


def test_a_changed_row_gets_a_timestamp_and_moves_to_the_end(make_cornerstone: Any) -> None:
    api = make_cornerstone()
    rows = api.rows("users_core")
    key = rows[3]["user_id"]
    latest = max(row[TOUCHED] for row in rows).replace("+00:00", "Z")
    api.controls["edit"]({"stream": "users_core", "id": key, "field": "user_email", "value": "new@x.example"})
    changed = api.rows("users_core")
    assert len(changed) == len(rows)
    assert (changed[-1]["user_id"], changed[-1]["user_email"]) == (key, "new@x.example")
    assert api.rows("users_core", {"$filter": f"{TOUCHED} gt {latest}"}) == [changed[-1]]
    # The view has separate rows.
    assert "new@x.example" not in {row["user_email"] for row in api.rows("vw_rpt_user")}


def test_a_row_that_changes_during_a_read_is_on_two_pages_and_none_is_missed(make_cornerstone: Any) -> None:
    api = make_cornerstone()
    pages = api.pages("user_ou_core", prefer="odata.maxpagesize=50")
    first = next(pages)["value"]
    api.controls["touch"]({"stream": "user_ou_core", "id": f"{first[0]['user_id']},{first[0]['ou_id']}"})
    api.controls["delete"]({"stream": "user_ou_core", "id": f"{first[1]['user_id']},{first[1]['ou_id']}"})
    rest = [row for page in pages for row in page["value"]]
    keys = [(row["user_id"], row["ou_id"]) for row in (*first, *rest)]
    assert len(keys) == len(set(keys)) + 1
    assert rest[-1]["ou_id"] == first[0]["ou_id"]
    left = {(row["user_id"], row["ou_id"]) for row in api.rows("user_ou_core")}
    assert set(keys) - left == {(first[1]["user_id"], first[1]["ou_id"])}


def test_a_row_is_duplicated_on_two_pages(make_cornerstone: Any) -> None:
    api = make_cornerstone()
    api.vendor.duplicate_record("ou_core", "1402")
    rows = api.rows("ou_core", prefer="odata.maxpagesize=9")
    assert [row["ou_id"] for row in rows].count(1402) == 2
    assert len(rows) == api.vendor.count_rows("ou_core", None, None) + 1
    with pytest.raises(ControlError):
        api.vendor.duplicate_record("ou_core", "1")


def test_short_pages_are_not_the_last_ones(make_cornerstone: Any) -> None:
    api = make_cornerstone()
    rows = api.rows("user_ou_core")
    api.controls["short-pages"]({"stream": "user_ou_core", "rows": 30, "empty": True})
    pages = list(api.pages("user_ou_core", prefer="odata.maxpagesize=100"))
    assert {len(page["value"]) for page in pages[1:-1]} == {30}
    assert (pages[0]["value"], "@odata.nextLink" in pages[0]) == ([], True)
    assert [row for page in pages for row in page["value"]] == rows
    assert len(api.rows("user_ou_core", {"$top": "70"})) == 70


def test_a_change_can_have_an_older_timestamp(make_cornerstone: Any) -> None:
    api = make_cornerstone()
    api.controls["touch"]({"stream": "users_core", "id": "-7"})
    late = {"stream": "users_core", "id": "-6005", "field": "user_absent", "value": True, "seconds_ago": 900}
    api.controls["edit"](late)
    *_, first, second = api.rows("users_core")
    assert (first["user_id"], second["user_id"], second["user_absent"]) == (-7, -6005, True)
    assert second[TOUCHED] < first[TOUCHED]


def test_changes_of_the_company_are_served(make_cornerstone: Any) -> None:
    api = make_cornerstone()
    users, units = api.rows("users_core"), api.rows("user_ou_core")
    transcripts = api.rows("transcript_core")
    person = next(iter(api.company.people))
    api.changes.edit("person", str(person.id), "first_name", "Zoë")
    api.changes.hire()
    after = {row["user_id"]: row for row in api.rows("users_core")}
    assert len(after) == len(users) + 1
    assert after[person.id]["user_name_first"] == "Zoë"
    assert person.id in list(after)[-2:]
    others = {row["user_id"]: row for row in users if row["user_id"] != person.id}
    assert {key: row for key, row in after.items() if key in others} == others
    assert len(api.rows("user_ou_core")) > len(units)
    assert api.rows("transcript_core")[: len(transcripts)] == transcripts


def test_a_delta_link_returns_the_changes_since_it(make_cornerstone: Any) -> None:
    api = make_cornerstone()
    answer = api.request("user_ou_core", prefer=f"{TRACK}, odata.maxpagesize=100")
    assert answer.headers["preference-applied"] == TRACK
    pages = list(api.pages("user_ou_core", prefer=f"{TRACK}, odata.maxpagesize=100"))
    assert [DELTA in page for page in pages] == [False] * (len(pages) - 1) + [True]
    link = pages[-1][DELTA]
    assert link.startswith("user_ou_core?deltatoken=")
    _, nothing = api.get(link)
    assert nothing["value"] == []
    rows = [row for page in pages for row in page["value"]]
    for row in rows[:8]:
        api.controls["touch"]({"stream": "user_ou_core", "id": f"{row['user_id']},{row['ou_id']}"})
    api.controls["delete"]({"stream": "user_ou_core", "id": f"{rows[0]['user_id']},{rows[0]['ou_id']}"})
    changes = list(api.pages(link, prefer=FIVE))
    assert all(page["@odata.context"].endswith("$metadata#user_ou_core/$delta") for page in changes)
    assert [len(page["value"]) for page in changes] == [5, 3]
    found = [row for page in changes for row in page["value"]]
    assert [row["ou_id"] for row in found[:-1]] == [row["ou_id"] for row in rows[1:8]]
    gone = found[-1]
    assert gone["@odata.context"].endswith("$metadata#user_ou_core/$deletedEntity")
    assert gone["id"] == f"user_ou_core(user_id={rows[0]['user_id']},ou_id={rows[0]['ou_id']})"
    assert gone["reason"] == "deleted"
    newer = changes[-1][DELTA]
    assert api.get(newer)[1]["value"] == []
    # The older link stays valid until it expires.
    assert len(api.rows(link)) == 8


def test_rows_that_changed_during_a_read_are_among_the_changes(make_cornerstone: Any) -> None:
    api = make_cornerstone()
    pages = api.pages("user_groups_core", prefer=f"{TRACK}, odata.maxpagesize=10")
    first = next(pages)["value"][0]
    api.controls["delete"]({"stream": "user_groups_core", "id": f"{first['user_id']},{first['ou_id']}"})
    last = list(pages)[-1]
    assert [row["reason"] for row in api.get(last[DELTA])[1]["value"]] == ["deleted"]


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ("removed", {"@removed": {"reason": "deleted"}, "user_id": -6005, "ou_id": 90001}),
        (
            "removed-id",
            {"@removed": {"reason": "deleted"}, "@odata.id": "user_groups_core(user_id=-6005,ou_id=90001)"},
        ),
    ],
)
def test_deleted_rows_can_have_other_shapes(make_cornerstone: Any, shape: str, expected: Any) -> None:
    api = make_cornerstone()
    link = api.get("user_groups_core", prefer=TRACK)[1][DELTA]
    api.controls["delta-shape"]({"shape": shape})
    api.controls["delete"]({"stream": "user_groups_core", "id": "-6005,90001"})
    assert api.get(link)[1]["value"] == [expected]


def test_a_deleted_person_is_deleted_everywhere(make_cornerstone: Any) -> None:
    api = make_cornerstone()
    link = api.get("users_cf_core", prefer=TRACK)[1][DELTA]
    person = next(
        row
        for row in api.company.people
        if not any(other.supervisor_id == row.id for other in api.company.employments)
        and not any(row.id in opening.recruiter_ids for opening in api.company.openings)
    )
    api.changes.delete("person", str(person.id))
    assert [row["id"] for row in api.get(link)[1]["value"]] == [f"users_cf_core(user_id={person.id})"]
    assert person.id not in {row["user_id"] for row in api.rows("users_core")}


def test_change_tracking_is_refused_for_objects_without_it(make_cornerstone: Any) -> None:
    api = make_cornerstone()
    status, body = api.get("training_core", prefer=TRACK)
    assert (status, body) == (501, {"error": {"code": "501", "message": "Not Implemented"}})
    assert api.get("vw_rpt_user", prefer=TRACK)[0] == 501
    assert api.get("user_ou_core", {"$filter": "user_id eq 1"}, prefer=TRACK)[0] == 400
    link = api.get("user_groups_core", prefer=TRACK)[1][DELTA]
    assert api.get(f"{link}&$top=1")[0] == 400
    assert api.get(link.replace("deltatoken", "$deltatoken"))[0] == 400
    assert api.get(link.replace("user_groups", "user_ou"))[0] == 400
    api.controls["tracking"]({"stream": "user_groups_core", "tracked": False})
    assert api.get(link)[0] == 501
    api.controls["tracking"]({"stream": "training_core", "tracked": True})
    assert DELTA in api.get("training_core", prefer=TRACK)[1]


def test_links_expire(make_cornerstone: Any) -> None:
    api = make_cornerstone()
    api.controls["link-life"]({"kind": "next", "seconds": 60})
    api.controls["link-life"]({"kind": "delta", "seconds": 90})
    link = api.get("users_core", prefer=FIVE)[1]["@odata.nextLink"]
    changes = api.get("user_groups_core", prefer=TRACK)[1][DELTA]
    assert api.get(link)[0] == 200
    api.controls["clock"]({"seconds": 70})
    assert (api.get(link)[0], api.get(changes)[0]) == (410, 200)
    api.controls["clock"]({"seconds": 30})
    assert api.get(changes)[0] == 410
    changes = api.get("user_groups_core", prefer=TRACK)[1][DELTA]
    api.controls["expire-links"]({"kind": "delta"})
    assert api.get(changes)[0] == 410
    assert api.get(api.get("user_groups_core", prefer=TRACK)[1][DELTA])[0] == 200


@pytest.mark.parametrize(
    ("style", "name", "begins"),
    [
        ("normal", "@odata.nextLink", "http://127.0.0.1:1/cornerstone/services/"),
        ("lowercase", "@odata.nextlink", "http://127.0.0.1:1/cornerstone/services/"),
        ("relative", "@odata.nextLink", "users_core?$skiptoken="),
        ("foreign", "@odata.nextLink", "https://elsewhere.example/services/"),
    ],
)
def test_next_links_can_have_other_styles(make_cornerstone: Any, style: str, name: str, begins: str) -> None:
    api = make_cornerstone()
    api.vendor.set_links("users_core", style)
    _, body = api.get("users_core", prefer=FIVE)
    assert body[name].startswith(begins)


def test_next_links_can_be_missing_or_repeated(make_cornerstone: Any) -> None:
    api = make_cornerstone()
    api.vendor.set_links("users_core", "missing")
    assert set(api.get("users_core", prefer=FIVE)[1]) == {"@odata.context", "value"}
    api.vendor.set_links("/services/api/x/dataexporter/api/objects/users_core", "repeated")
    first = api.get("users_core", prefer=FIVE)[1]
    second = api.get(first["@odata.nextLink"], prefer=FIVE)[1]
    assert api.get(second["@odata.nextLink"], prefer=FIVE)[1]["value"] == second["value"]
    with pytest.raises(ControlError):
        api.vendor.set_links("users_core", "round")


def test_controls_reject_invalid_arguments(make_cornerstone: Any) -> None:
    api = make_cornerstone()
    for control, body in (
        ("edit", {"stream": "users_core", "id": "1", "field": "user_email", "value": "x"}),
        ("edit", {"stream": "users_core", "id": "-7", "field": "user_id", "value": 5}),
        ("edit", {"stream": "users_core", "id": "-7", "field": "user_absent", "value": "x"}),
        ("edit", {"stream": "nothing", "id": "-7", "field": "user_absent", "value": True}),
        ("delete", {"stream": "users_core", "id": "-7", "more": 1}),
        ("bulk", {"transcripts": 20_000_001}),
        ("bulk", {"transcripts": 5, "users": 0}),
        ("clock", {"seconds": -1}),
        ("link-life", {"kind": "other", "seconds": 1}),
        ("delta-shape", {"shape": "round"}),
        ("tracking", {"stream": "vw_rpt_user", "tracked": True}),
        ("throttling", {"stream": "nothing", "per_minute": 1}),
        ("int64", {"texts": "yes"}),
    ):
        with pytest.raises(ControlError):
            api.controls[control](body)


def test_long_numbers_of_objects_can_be_texts(make_cornerstone: Any) -> None:
    api = make_cornerstone()
    numbers = [row["user_lo_status_id"] for row in api.rows("transcript_core")]
    api.controls["int64"]({"texts": True})
    assert [row["user_lo_status_id"] for row in api.rows("transcript_core")] == list(map(str, numbers))
    assert {type(row["user_lo_status_id"]) for row in api.rows("vw_rpt_transcript")} == {int}
