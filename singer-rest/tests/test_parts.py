"""Parts of a back-fill: what each reads, that all together are the whole, and the merge of their states."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest
from singer_rest import (
    DateWindows,
    DayWindows,
    MonthlyBackfill,
    Months,
    ParamValues,
    ParentBatches,
    PerParent,
    Product,
    RunError,
    SingleSlice,
    Slices,
    Window,
)
from singer_rest.slices.part import Part
from singer_rest.state.merge_states import merge_states
from singer_rest.testing import Output, Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from singer_rest.testing import Host, ReceivedRequest

EVERYTHING: dict[str, Any] = {"optional_streams": ["*"], "start_date": None, "end_date": None}
STARTS = [datetime(2026, month, day, 9, tzinfo=timezone.utc) for month, day in ((5, 30), (6, 1), (6, 4), (7, 1))]
"""Each part of four starts at another one, in other months."""
VISITS = [
    {"id": f"{year}-{month}", "name": f"{year}-{month:02}-03T09:00:00", "updated_at": f"{year}-{month:02}-03T10:00:00Z"}
    for year in (2024, 2025, 2026)
    for month in range(1, 13)
]


def parts_of(count: int) -> list[Part]:
    return [Part(number, count) for number in range(1, count + 1)]


class Parents:
    """Parents whose list is complete."""

    def __init__(self, *ids: str) -> None:
        self.parents: list[tuple[str, Mapping[str, Any]]] = [(one, {"email": f"{one[0]}@a"}) for one in ids]
        self.complete = True
        self.error: Exception | None = None


PARENTS = [f"{number}" for number in range(50)]
WINDOWS = DateWindows("from", "to", days=30, years_back=1, years_ahead=1)
BATCHES = ParentBatches("owners", "ids[]", size=3)


@pytest.mark.parametrize("count", [1, 2, 3, 8])
@pytest.mark.parametrize(
    "slices",
    [
        SingleSlice(),
        ParamValues("type", "team", "department"),
        Months("from", "to"),
        WINDOWS,
        DayWindows("after", "before", days_back=30),
        PerParent("owners", "owner_id"),
        Product(ParamValues("type", "team", "department"), WINDOWS),
        Product(PerParent("owners", "owner_id"), WINDOWS),
    ],
    ids=["single", "values", "months", "windows", "days", "parents", "values and windows", "parents and windows"],
)
def test_each_slice_is_in_one_part(slices: Slices, count: int) -> None:
    window = Window(None, None, STARTS[0])
    parents = Parents(*PARENTS)
    shared = Counter(
        repr(piece)
        for part in parts_of(count)
        for piece in slices.share(lambda key, part=part: part.takes("s", key), window, parents)  # type: ignore[misc]
    )
    assert shared == Counter(map(repr, slices.plan(window, parents)))


@pytest.mark.parametrize("slices", [BATCHES, Product(BATCHES, WINDOWS)], ids=["alone", "with windows"])
def test_each_parent_of_a_batch_is_in_one_part(slices: Slices) -> None:
    window = Window(None, None, STARTS[0])

    def requested(pieces: Iterator[Any]) -> Counter[tuple[str, str]]:
        return Counter((one, piece.params.get("from", "")) for piece in pieces for one in piece.params["ids[]"])

    shared = Counter[tuple[str, str]]()
    for part in parts_of(4):
        # The list has other owners when another part reads it, and in another order.
        parents = Parents(*reversed(PARENTS), f"new {part.number}")
        shared += requested(slices.share(lambda key, part=part: part.takes("s", key), window, parents))  # type: ignore[misc]
    whole = requested(slices.plan(window, Parents(*PARENTS)))
    assert {key: number for key, number in shared.items() if "new" not in key[0]} == whole


def test_children_of_parents_that_share_a_key_are_read_once() -> None:
    slices = ParentBatches("owners", "ids[]", size=3, key="email")
    window = Window(None, None, STARTS[0])
    shared = [
        address
        for part in parts_of(4)
        for piece in slices.share(lambda key, part=part: part.takes("s", key), window, Parents(*PARENTS))  # type: ignore[misc]
        if piece
        for address in piece.params["ids[]"]
    ]
    assert sorted(shared) == sorted({f"{one[0]}@a" for one in PARENTS})


def days_of(pieces: Iterator[Any], first: str, last: str) -> set[tuple[str, str]]:
    return {(piece.params.get(first, "")[:10], piece.params.get(last, "9")[:10]) for piece in pieces}


@pytest.mark.parametrize(
    ("slices", "bounds"),
    [
        (Months("from", "to"), ("from", "to")),
        (WINDOWS, ("from", "to")),
        (MonthlyBackfill("after", "before"), ("after", "before")),
        (MonthlyBackfill("after", "before", days=True), ("after", "before")),
    ],
    ids=["months", "windows", "back-fill", "back-fill by days"],
)
def test_parts_that_start_at_other_times_leave_no_hole(slices: Slices, bounds: tuple[str, str]) -> None:
    read: list[tuple[str, str]] = []
    for part, start in zip(parts_of(4), STARTS, strict=True):
        takes = lambda key, part=part: part.takes("s", key)  # noqa: E731
        read += days_of(slices.share(takes, Window(None, None, start), None), *bounds)  # type: ignore[arg-type]
    whole = days_of(slices.plan(Window(None, None, STARTS[0]), None), *bounds)
    first, last = min(start for start, _ in whole), max(end for _, end in whole)
    read.sort()
    assert read[0][0] <= first
    reached = read[0][1]
    for start, end in read[1:]:
        gap = datetime.fromisoformat(start) - datetime.fromisoformat(reached)
        assert gap.days <= 1, f"nothing is read from {reached} to {start}"
        assert start >= reached, f"{start} to {reached} is read twice"
        reached = max(reached, end)
    assert reached >= last


class Clinic:
    """Owners with pets, and visits by month, whose parameters are dates."""

    def __init__(self) -> None:
        self.visits = [*VISITS]
        self.owners = [{"id": str(number), "updated_at": "2026-02-01T00:00:00Z"} for number in range(20)]
        self.broken = ""

    def respond(self, request: ReceivedRequest) -> Response:
        if self.broken and self.broken in request.path:
            return Response({}, 422)
        rows: list[dict[str, Any]] = []
        if request.path == "/owners":
            rows = self.owners
        elif request.path.endswith("/pets"):
            rows = [{"id": f"pet of {request.path.split('/')[2]}"}]
        elif request.path == "/visits":
            after, before = request.query.get("after", ""), request.query.get("before", "9")
            since = request.query.get("changed_after", "")
            rows = [row for row in self.visits if after <= row["name"] < before and row["updated_at"] >= since]
        start = int(request.query.get("cursor", 0))
        return Response(
            {"data": rows[start : start + 2], "next": str(start + 2) if start + 2 < len(rows) else None}
            if request.path == "/owners"
            else {"data": rows}
        )


@pytest.fixture
def clinic(vendor: Host) -> Clinic:
    clinic = Clinic()
    vendor.respond = clinic.respond
    return clinic


NAMES = ("owners", "pets", "visits")


@pytest.fixture
def read_parts(run: Callable[..., Output]) -> Callable[..., list[Output]]:
    """Reads all parts, each at another time."""

    def read_parts(*streams: str, count: int = 4, **options: Any) -> list[Output]:
        return [
            run(*(streams or NAMES), slice=str(part), started=STARTS[part.number % 4], **EVERYTHING, **options)
            for part in parts_of(count)
        ]

    return read_parts


def states_of(outputs: list[Output]) -> dict[str, Any]:
    return {f"{number}.json": json.loads(json.dumps(output.state)) for number, output in enumerate(outputs, 1)}


def record_counts(*outputs: Output) -> Counter[tuple[str, str]]:
    return Counter(
        (message["stream"], message["record"]["id"]) for output in outputs for message in output.messages_of("RECORD")
    )


def test_all_parts_are_the_whole_and_share_a_version_that_none_activates(
    clinic: Clinic, run: Callable[..., Output], read_parts: Callable[..., list[Output]]
) -> None:
    whole = run(*NAMES, started=STARTS[0], **EVERYTHING)
    parts = read_parts()
    assert record_counts(*parts) == record_counts(whole)
    assert all(sum(output.counts().values()) < len(VISITS) for output in parts)
    assert {message["version"] for output in parts for message in output.messages_of("RECORD")} == {1}
    assert not any(output.messages_of("ACTIVATE_VERSION") for output in parts)


def test_merged_state_continues_with_changes_since_the_first_start(
    clinic: Clinic, run: Callable[..., Output], read_parts: Callable[..., list[Output]]
) -> None:
    merged, due = merge_states(states_of(read_parts()), "tap-pets")
    assert due == []
    bookmarks = merged["bookmarks"]
    # Owners have not changed since then, visits have.
    assert bookmarks["owners"]["replication_key_value"] == "2026-02-01T00:00:00Z"
    assert bookmarks["visits"]["replication_key_value"] == "2026-05-30T09:00:00Z"
    assert bookmarks["pets"] == {"version": 1, "window_start": None, "window_end": None}
    clinic.visits[0] |= {"updated_at": "2026-06-01T12:00:00Z"}
    after = run(*NAMES, state=merged, started=datetime(2026, 7, 2, tzinfo=timezone.utc), **EVERYTHING)
    assert set(after.ids()["visits"]) == {clinic.visits[0]["id"], *(f"2026-{month}" for month in range(6, 13))}
    assert len(after.messages_of("ACTIVATE_VERSION", "pets")) == 1  # what was deleted is found again
    assert not after.messages_of("ACTIVATE_VERSION", "visits")
    assert after.messages_of("RECORD", "visits")[0]["version"] == 1


def test_window_that_moved_between_the_starts_is_read_again(
    clinic: Clinic, run: Callable[..., Output], read_parts: Callable[..., list[Output]]
) -> None:
    parts = read_parts("visits", count=2)
    states = states_of(parts)
    states["2.json"] = run("visits", slice="2/2", started=datetime(2027, 1, 2, tzinfo=timezone.utc), **EVERYTHING).state
    merged, due = merge_states(states, "tap-pets")
    assert due == ["visits"]
    assert "replication_key_value" not in merged["bookmarks"]["visits"]
    again = run("visits", state=merged, started=datetime(2027, 1, 3, tzinfo=timezone.utc), **EVERYTHING)
    assert record_counts(again) == Counter({("visits", visit["id"]): 1 for visit in VISITS})


def test_part_that_failed_reads_only_the_rest(clinic: Clinic, run: Callable[..., Output]) -> None:
    options = {"slice": "1/2", "started": STARTS[0], **EVERYTHING}
    clinic.broken = "/pets"
    fails: list[Exception] = []
    first = run(*NAMES, fails=fails, **options)
    assert "pets" in str(fails[0])
    clinic.broken = ""
    other = run(*NAMES, **options | {"slice": "2/2"})
    with pytest.raises(RunError, match=r"pets was not read completely in part 1/2. Run that again with its state."):
        merge_states({"1": first.state, "2": other.state}, "tap-pets")
    second = run(*NAMES, state=first.state, **options)
    assert set(second.counts()) == {"pets"}
    third = run(*NAMES, state=second.state, **options)
    assert third.counts() == {}
    assert third.state == second.state
    assert record_counts(first, second) == record_counts(run(*NAMES, **options))


def test_stream_without_permission_in_all_parts_is_merged(
    clinic: Clinic, vendor: Host, read_parts: Callable[..., list[Output]]
) -> None:
    respond = clinic.respond
    vendor.respond = lambda request: Response({}, 403) if request.path == "/visits" else respond(request)
    states = states_of(read_parts())
    merged, _ = merge_states(states, "tap-pets")
    assert merged["bookmarks"]["visits"] == {}
    vendor.respond = respond
    states["2.json"] = read_parts()[1].state
    with pytest.raises(RunError, match=r"visits was skipped for lack of permission in part 1/4, 3/4, 4/4, but read in"):
        merge_states(states, "tap-pets")


def change(states: dict[str, Any], file: str, **changes: Any) -> dict[str, Any]:
    """Changes what the state of a file says of its part."""
    for stream in states[file]["bookmarks"].values():
        stream["part"] |= changes
    return states


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (lambda states: states.pop("2.json"), "The state of part 2/4 is missing. Pass the states of all parts."),
        (lambda states: states.update({"b": states["2.json"]}), "2.json and b are both of part 2/4."),
        (lambda states: change(states, "2.json", slice="2/8"), "The parts do not belong together: 1/4 and 2/8 and 3/4"),
        (lambda states: change(states, "2.json", tap="tap-x"), "2.json is a state of tap-x, not of tap-pets."),
        (lambda states: change(states, "2.json", settings="x"), "The parts were read with different settings."),
        (lambda states: states.update({"x": {}}), "x is not the state of a part: it holds no stream."),
        (
            lambda states: states["2.json"]["bookmarks"]["pets"].pop("part"),
            "2.json is not the state of a part: the run had no `slice`.",
        ),
        (lambda states: states["2.json"]["bookmarks"].pop("pets"), "pets was not selected in part 2/4."),
        (
            lambda states: [
                states[file]["bookmarks"]["pets"].update(shop=shop) for file, shop in (("1.json", "a"), ("3.json", "b"))
            ],
            "Parts 1/4 and 3/4 do not belong together: `shop` of pets differs.",
        ),
    ],
)
def test_states_that_do_not_belong_together_are_refused(
    clinic: Clinic, read_parts: Callable[..., list[Output]], edit: Callable[[dict[str, Any]], object], sentence: str
) -> None:
    states = states_of(read_parts())
    edit(states)
    with pytest.raises(RunError) as raised:
        merge_states(states, "tap-pets")
    assert str(raised.value).startswith(sentence)


def test_state_of_another_run_is_refused(clinic: Clinic, run: Callable[..., Output]) -> None:
    part = run("owners", slice="1/2").state
    whole = run("owners").state
    for state, given, sentence in (
        (part, None, "The state is of part 1/2 of a back-fill. Merge the states of all parts with --merge-states"),
        (part, "2/2", "The state is of part 1/2, not of part 2/2. Give each part a state of its own"),
        (whole, "2/2", "The state is of a run without `slice`, not of part 2/2."),
    ):
        with pytest.raises(RunError) as raised:
            run("owners", state=state, slice=given)
        assert str(raised.value).startswith(sentence)
    with pytest.raises(RunError, match=r"Part 1/2 was begun with other settings"):
        run("owners", state=part, slice="1/2", start_date="2026-01-02")


@pytest.mark.parametrize("text", ["0/8", "9/8", "a/b", "3/1000000", "3", "1/101", "-1/8", "3/8/9"])
def test_invalid_part_is_one_sentence(cli: Callable[..., tuple[int, str, str]], text: str) -> None:
    code, out, log = cli("--slice", text)
    assert (code, out) == (1, "")
    assert log.count("ERROR") == 1
    assert "Set `slice` to a part such as 3/8: its number, and the number of parts (at most 100)." in log


def test_command_line_merges_states_and_excludes_what_does_not_go_together(
    cli: Callable[..., tuple[int, str, str]],
    clinic: Clinic,
    read_parts: Callable[..., list[Output]],
    tmp_path: Path,
) -> None:
    files = []
    for name, state in states_of(read_parts("owners")).items():
        (tmp_path / name).write_text(json.dumps({"singer_state": state}))
        files.append(str(tmp_path / name))
    code, out, log = cli("--merge-states", *files)
    assert (code, log) == (0, "")
    assert set(json.loads(out)["singer_state"]["bookmarks"]) == {"owners"}
    code, out, log = cli("--merge-states", *files[1:])
    assert (code, out) == (1, "")
    assert "The state of part 1/4 is missing." in log
    (tmp_path / "torn.json").write_text('{"book')
    code, out, log = cli("--merge-states", str(tmp_path / "torn.json"))
    assert (code, out) == (1, "")
    assert "torn.json cannot be read as a state." in log
    assert cli("--slice", "1/2", "--only", "owners=1")[0] == 1
    for wrong in (["--merge-states"], ["--merge-states", "--doctor"], files, ["--slice", "1/2", "--doctor"]):
        assert cli(*wrong)[0] == 2
