"""How streams are divided into slices."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from singer_rest import (
    DateWindows,
    DayWindows,
    MonthlyBackfill,
    Months,
    ParamSets,
    ParamValues,
    ParentBatches,
    PerParent,
    Product,
    SingleSlice,
    Slice,
    Slices,
)
from singer_rest.slices.base import Window

NOW = datetime(2026, 11, 22, 5, tzinfo=timezone.utc)


def make_window(since: datetime | None = None, until: datetime | None = None) -> Window:
    return Window(since, until, NOW)


def test_single_slice_is_the_whole_stream() -> None:
    assert list(SingleSlice().plan(make_window(), None)) == [Slice()]


def test_required_parameter_has_a_slice_per_value() -> None:
    slices = ParamValues("type", "department", "team").plan(make_window(), None)
    assert [part.params for part in slices if part] == [{"type": "department"}, {"type": "team"}]


def test_months_are_complete_and_named_by_their_first_day() -> None:
    months = Months("from", "to").plan(make_window(datetime(2024, 1, 31, 12, tzinfo=timezone.utc)), None)
    first, second = next(months), next(months)
    assert first == Slice(
        {"from": "2024-01-01", "to": "2024-01-31"}, {}, {"month": "2024-01-01"}, "2024-01-01/2024-01-31", number=24_289
    )
    assert second == Slice(
        {"from": "2024-02-01", "to": "2024-02-29"}, {}, {"month": "2024-02-01"}, "2024-02-01/2024-02-29", number=24_290
    )


def test_months_default_to_january_five_years_ago_up_to_now() -> None:
    months = [part.columns["month"] for part in Months("from", "to").plan(make_window(), None) if part]
    assert months[0] == "2021-01-01"
    assert months[-1] == "2026-11-01"
    assert len(months) == len(set(months)) == 5 * 12 + 11


@pytest.mark.parametrize(
    "slices",
    [Months("from", "to"), DateWindows("from", "to", days=7, years_ahead=1), DayWindows("from", "to", days_back=30)],
)
@pytest.mark.parametrize("until", [None, datetime(2026, 5, 3, 4, tzinfo=timezone.utc)])
def test_windows_end_with_their_last_slice(slices: Slices, until: datetime | None) -> None:
    found = make_window(datetime(2026, 4, 15, tzinfo=timezone.utc), until)
    *_, last = slices.plan(found, None)
    product = Product(slices, ParamValues("type", "team"))
    assert slices.last_timestamp(found) == product.last_timestamp(found)
    end = slices.last_timestamp(found)
    assert last
    assert end
    assert str(last.params["to"])[:10] == end.date().isoformat()


def test_months_end_with_the_month_of_the_end_date() -> None:
    since, until = (datetime(2026, month, 15, tzinfo=timezone.utc) for month in (2, 4))
    months = [part.columns["month"] for part in Months("from", "to").plan(make_window(since, until), None) if part]
    assert months == ["2026-02-01", "2026-03-01", "2026-04-01"]


def planned_days(slices: DateWindows, window: Window) -> list[tuple[Any, Any]]:
    return [(part.params["from"], part.params["to"]) for part in slices.plan(window, None) if part]


def test_date_windows_contain_each_day_once() -> None:
    since, until = datetime(2026, 2, 10, 23, tzinfo=timezone.utc), datetime(2026, 3, 20, 1, tzinfo=timezone.utc)
    found = planned_days(DateWindows("from", "to", days=15), make_window(since, until))
    assert found[0][0] == "2026-02-10"
    assert found[-1][1] == "2026-03-20"
    ends = [(datetime.fromisoformat(first), datetime.fromisoformat(last)) for first, last in found]
    assert all(later - earlier == timedelta(days=1) for (_, earlier), (later, _) in itertools.pairwise(ends))
    assert {(last - first).days + 1 for first, last in ends[1:-1]} == {15}


def test_date_windows_have_the_same_bounds_for_any_start() -> None:
    windows = DateWindows("from", "to", days=15)
    ends = [datetime(2026, 10, 1, tzinfo=timezone.utc), datetime(2026, 12, 24, tzinfo=timezone.utc)]
    cuts = [
        set(planned_days(windows, make_window(datetime(2026, 1, day, tzinfo=timezone.utc), until))[1:-1])
        for day in (1, 3, 5)
        for until in ends
    ]
    assert cuts[0] <= cuts[1]
    assert cuts[0] == cuts[2]
    assert cuts[1] == cuts[3]
    assert cuts[4] < cuts[0]


def test_date_windows_have_default_bounds() -> None:
    found = planned_days(DateWindows("from", "to", days=90, years_back=2, years_ahead=1), make_window())
    assert (found[0][0], found[-1][1]) == ("2024-01-01", "2027-11-22")
    assert planned_days(DateWindows("from", "to", days=90), make_window())[-1][1] == "2026-11-22"
    table = Window(None, None, NOW, table_since=datetime(2019, 3, 1, tzinfo=timezone.utc))
    assert planned_days(DateWindows("from", "to", days=90), table)[0][0] == "2019-03-01"


def test_finished_date_windows_have_a_name() -> None:
    since, until = datetime(2026, 11, 20, tzinfo=timezone.utc), datetime(2026, 11, 24, tzinfo=timezone.utc)
    names = [part.name for part in DateWindows("from", "to", days=1).plan(make_window(since, until), None) if part]
    assert names == ["2026-11-20/2026-11-20", "2026-11-21/2026-11-21", None, None, None]


class Parents:
    """A parent index as the slices see it."""

    def __init__(self, *parents: tuple[str, dict[str, Any]]) -> None:
        self.parents = list(parents)
        self.complete = False
        self.error: Exception | None = None


def test_children_are_planned_as_their_parents_become_known() -> None:
    listing = Parents()
    slices = PerParent("persons", "person_id").plan(make_window(), listing)
    assert next(slices) is None
    listing.parents += [("1", {}), ("2", {})]
    assert next(slices) == Slice(path={"person_id": "1"}, columns={"person_id": "1"})
    assert next(slices) == Slice(path={"person_id": "2"}, columns={"person_id": "2"})
    assert next(slices) is None
    listing.complete = True
    assert next(slices, "end") == "end"


def test_error_of_the_parents_list_follows_the_known_children() -> None:
    listing = Parents(("1", {}))
    listing.error = OSError("gone")
    listing.complete = True
    children = PerParent("persons", "person_id").plan(make_window(), listing)
    assert next(children) == Slice(path={"person_id": "1"}, columns={"person_id": "1"})
    with pytest.raises(OSError, match="gone"):
        next(children)


def test_id_is_quoted_in_the_path_but_not_in_the_column() -> None:
    part = next(PerParent("persons", "person_id").plan(make_window(), Parents(("a/b?x=1", {}))))
    assert part == Slice(path={"person_id": "a%2Fb%3Fx%3D1"}, columns={"person_id": "a/b?x=1"})


def test_id_can_be_a_query_parameter() -> None:
    part = next(PerParent("persons", "owner_id", param="owner_id").plan(make_window(), Parents(("a/b", {}))))
    assert part == Slice(params={"owner_id": "a/b"}, columns={"owner_id": "a/b"})


def test_only_parents_that_have_children_are_used() -> None:
    listing = Parents(("1", {"all": True}), ("2", {"all": False}))
    listing.complete = True
    children = PerParent("projects", "project_id", where=lambda record: not record["all"])
    assert [part.columns for part in children.plan(make_window(), listing) if part] == [{"project_id": "2"}]


def test_only_changed_parents_are_used_and_set_the_replication_key() -> None:
    days = [("1", "2026-01-01T00:00:00Z"), ("2", "2026-01-03T00:00:00Z"), ("3", None)]
    listing = Parents(*((number, {"absence_updated_at": day}) for number, day in days))
    listing.complete = True
    children = PerParent("absences", "absence_id", changed="absence_updated_at")
    since = datetime(2026, 1, 2, tzinfo=timezone.utc)
    assert [part.columns for part in children.plan(make_window(since), listing) if part] == [
        {"absence_id": "2", "absence_updated_at": "2026-01-03T00:00:00Z"},
        {"absence_id": "3", "absence_updated_at": None},
    ]
    assert len(list(children.plan(make_window(), listing))) == 3


def test_default_first_month_does_not_move_past_the_tables() -> None:
    table = Window(None, None, NOW, table_since=datetime(2019, 1, 1, tzinfo=timezone.utc))
    assert Months("from", "to").first_timestamp(table) == datetime(2019, 1, 1, tzinfo=timezone.utc)
    later = Window(None, None, NOW, table_since=datetime(2024, 1, 1, tzinfo=timezone.utc))
    assert Months("from", "to").first_timestamp(later) == datetime(2021, 1, 1, tzinfo=timezone.utc)


def smallest_slices(part: Slice) -> list[Slice]:
    """Returns the smallest parts of a slice."""
    return [leaf for inner in part.parts for leaf in smallest_slices(inner)] or [part]


def plan_backfill(slices: MonthlyBackfill, window: Window) -> Slice:
    (whole,) = slices.plan(window, None)
    assert whole
    return whole


def test_monthly_backfill_is_one_slice_of_years_and_months_without_gaps_and_bounds() -> None:
    whole = plan_backfill(MonthlyBackfill("from", "to"), make_window())
    assert (whole.params, whole.name) == ({}, None)
    years = [part.params for part in whole.parts]
    assert years[0] == {"to": "2021-01-01T00:00:00"}
    assert years[1] == {"from": "2021-01-01T00:00:00", "to": "2022-01-01T00:00:00"}
    assert years[-1] == {"from": "2026-01-01T00:00:00"}
    months = [part.params for part in smallest_slices(whole)]
    assert months[0] == {"to": "2021-01-01T00:00:00"}
    assert months[1] == {"from": "2021-01-01T00:00:00", "to": "2021-02-01T00:00:00"}
    assert months[-1] == {"from": "2026-12-01T00:00:00"}
    for parts in (years, months):
        assert all(earlier["to"] == later["from"] for earlier, later in itertools.pairwise(parts))


def test_incremental_reads_are_one_slice() -> None:
    changed = Window(NOW, None, NOW, whole=False)
    assert list(MonthlyBackfill("from", "to").plan(changed, None)) == [Slice()]


def test_finished_time_slices_are_named_by_both_bounds() -> None:
    since = datetime(2026, 10, 15, tzinfo=timezone.utc)
    months = Months("from", "to").plan(make_window(since, datetime(2026, 12, 1, tzinfo=timezone.utc)), None)
    assert [part.name for part in months if part] == ["2026-10-01/2026-10-31", None, None]
    spread = [
        part.name for part in smallest_slices(plan_backfill(MonthlyBackfill("from", "to", years_back=0), make_window()))
    ]
    assert spread[:2] == ["../2026-01-01", "2026-01-01/2026-02-01"]
    assert spread[-3:] == ["2026-10-01/2026-11-01", None, None]  # November, and all that comes after


def test_slice_keeps_its_name_in_later_runs_and_other_windows_have_other_names() -> None:
    def names(slices: Slices, now: datetime) -> set[str | None]:
        return {
            leaf.name for part in slices.plan(Window(None, None, now), None) if part for leaf in smallest_slices(part)
        } - {None}

    later = NOW + timedelta(days=70)
    assert names(MonthlyBackfill("from", "to"), NOW) - names(MonthlyBackfill("from", "to"), later) == {
        "../2021-01-01",  # the next year's first slice ends with January 2022, and holds these
        *(f"2021-{month:02}-01/{2021 + month // 12}-{month % 12 + 1:02}-01" for month in range(1, 13)),
    }
    assert not names(Months("from", "to"), NOW) & names(MonthlyBackfill("from", "to"), NOW)


def test_slices_by_value_or_parent_have_no_name() -> None:
    listing = Parents(("1", {}))
    listing.complete = True
    parts = [
        *PerParent("persons", "id").plan(make_window(), listing),
        *ParamValues("type", "team").plan(make_window(), None),
    ]
    assert [part.name for part in parts if part] == [None, None]


def test_param_sets_have_a_slice_per_set() -> None:
    sweep = ParamSets({"kind": "cat", "ages[]": ["1", "2"]}, {"kind": "dog"})
    assert list(sweep.plan(make_window(), None)) == [
        Slice({"kind": "cat", "ages[]": ["1", "2"]}),
        Slice({"kind": "dog"}),
    ]


def test_param_sets_can_add_their_parameters_or_other_columns() -> None:
    told = ParamSets({"kind": "cat"}, {"kind": "dog"}, columns=True).plan(make_window(), None)
    assert [part.columns for part in told if part] == [{"kind": "cat"}, {"kind": "dog"}]
    others = ParamSets({}, {"archived": "true"}, columns=[{"is_archived": False}, {"is_archived": True}])
    assert [part.columns for part in others.plan(make_window(), None) if part] == [
        {"is_archived": False},
        {"is_archived": True},
    ]
    with pytest.raises(ValueError, match="argument"):
        ParamSets({}, {"archived": "true"}, columns=[{}])


def planned_batches(batches: Slices, listing: Parents) -> list[Any]:
    return [part.params["ids[]"] for part in batches.plan(make_window(), listing) if part]


def test_batches_are_planned_when_full_and_the_last_one_at_the_end() -> None:
    listing = Parents(("1", {}))
    slices = ParentBatches("posts", "ids[]", size=2).plan(make_window(), listing)
    assert next(slices) is None
    listing.parents += [("2", {}), ("3", {})]
    assert next(slices) == Slice(params={"ids[]": ("1", "2")})
    assert next(slices) is None
    listing.complete = True
    assert next(slices) == Slice(params={"ids[]": ("3",)})
    assert next(slices, "end") == "end"


def test_no_parents_give_no_batch() -> None:
    listing = Parents()
    listing.complete = True
    assert planned_batches(ParentBatches("posts", "ids[]", size=2), listing) == []


def test_batches_by_key_contain_each_value_once_and_skip_parents_without() -> None:
    keys = [7, None, 8, 7, 9]
    listing = Parents(*((str(number), {"author_id": key}) for number, key in enumerate(keys)))
    listing.complete = True
    batches = ParentBatches("posts", "ids[]", size=2, key="author_id")
    assert batches.parent_fields({"id": 5, "author_id": 7}) == {"author_id": 7}
    assert planned_batches(batches, listing) == [("7", "8"), ("9",)]


def test_batches_of_one_can_add_a_column() -> None:
    listing = Parents(("1", {}), ("2", {}))
    slices = ParentBatches("posts", "ids[]", size=1, column="post_id").plan(make_window(), listing)
    assert next(slices) == Slice(params={"ids[]": ("1",)}, columns={"post_id": "1"})
    with pytest.raises(ValueError, match="a column requires a batch size of 1"):
        ParentBatches("posts", "ids[]", size=2, column="post_id")


def test_error_of_the_parents_list_follows_the_full_batches() -> None:
    listing = Parents(("1", {}), ("2", {}), ("3", {}))
    listing.error, listing.complete = OSError("gone"), True
    slices = ParentBatches("posts", "ids[]", size=2).plan(make_window(), listing)
    assert next(slices) == Slice(params={"ids[]": ("1", "2")})
    with pytest.raises(OSError, match="gone"):
        next(slices)


def test_product_combines_the_slices_of_its_parts() -> None:
    since = datetime(2026, 1, 1, tzinfo=timezone.utc)
    until = datetime(2026, 2, 1, tzinfo=timezone.utc)
    each = Product(ParamValues("type", "team", "office", column="type"), Months("from", "to"))
    assert each.first_timestamp(make_window(since)) == since
    parts = [part for part in each.plan(make_window(since, until), None) if part]
    assert [(part.params["type"], part.params["from"]) for part in parts] == [
        ("team", "2026-01-01"),
        ("team", "2026-02-01"),
        ("office", "2026-01-01"),
        ("office", "2026-02-01"),
    ]
    assert parts[0].columns == {"type": "team", "month": "2026-01-01"}
    assert {part.name for part in parts} == {None}


@pytest.mark.parametrize("inside", [False, True])
def test_parts_of_a_slice_are_kept_within_a_product(inside: bool) -> None:  # noqa: FBT001
    years, values = MonthlyBackfill("from", "to", years_back=0), ParamValues("type", "team", "office")
    each = Product(values, years) if inside else Product(years, values)
    for part, kind in zip(each.plan(make_window(), None), ("team", "office"), strict=True):
        assert part
        assert part.params == {"type": kind}
        assert [leaf.params for leaf in smallest_slices(part)] == [
            {**leaf.params, "type": kind} for leaf in smallest_slices(plan_backfill(years, make_window()))
        ]


@pytest.mark.parametrize("inside", [False, True])
def test_product_can_have_parents_on_either_side(inside: bool) -> None:  # noqa: FBT001
    listing = Parents(("1", {}))
    children, values = PerParent("owners", "owner_id", where=lambda record: True), ParamValues("type", "team", "office")
    each = Product(values, children) if inside else Product(children, values)
    assert (each.parent, each.parent_fields({"id": 1}), each.changed) == ("owners", {"id": 1}, None)
    slices = each.plan(make_window(), listing)
    team = Slice({"type": "team"}, {"owner_id": "1"}, {"owner_id": "1"})
    office = Slice({"type": "office"}, {"owner_id": "1"}, {"owner_id": "1"})
    assert next(slices) == team
    if not inside:
        assert next(slices) == office
    assert next(slices) is None
    listing.complete = True
    assert list(slices) == ([office] if inside else [])


def test_product_rejects_two_parents() -> None:
    with pytest.raises(ValueError, match="only one"):
        Product(PerParent("owners", "owner_id"), ParentBatches("posts", "ids[]", size=1))
