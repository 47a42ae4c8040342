"""A function per chart: from a connection to its rows, SQL, definition and Vega-Lite specification."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hr_report.database import literal, query
from hr_report.figure import (
    EVERYTHING,
    Figure,
    Filters,
    bars,
    figure,
    lines,
    month_name,
    of_source,
    present,
    signed,
    stacked_bars,
)
from hr_report.look import (
    CATEGORIES,
    INK,
    MUTED,
    NAMES,
    PROGRESS,
    Rows,
    Spec,
    amount_axis,
    bar_width,
    in_panels,
    is_narrow,
    largest,
    month_axis,
    source_color,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import duckdb

PERCENT = ".0%"
NOBODY = "No source has people with an employment: load employees and employments, and build the models again."
YEAR = 12
MOST_DEPARTMENTS = 12
ZERO: Spec = {
    "data": {"values": [{}]},
    "mark": {"type": "rule", "color": MUTED},
    "encoding": {"y": {"datum": 0}},
}
"""A line at zero."""
STAGES = {
    "applications": "Applied",
    "reached_screening": "Screening",
    "reached_interview": "Interview",
    "reached_offer": "Offer",
    "hired": "Hired",
}


def headcount(connection: duckdb.DuckDBPyConnection, filters: Filters = EVERYTHING) -> Figure:
    """Headcount per source and month."""

    def describe(rows: Rows) -> str:
        now, then = rows[-1]["headcount"], rows[-YEAR - 1]["headcount"] if len(rows) > YEAR else None
        return f"{now:,}" + (f", {signed(now - then)} in a year" if then is not None else "")

    def draw(rows: Rows, width: int) -> Spec:
        plot = width - 60
        chart = lines(rows, "headcount", plot, largest(rows, "headcount"), scale=rows)
        return {**chart, "width": plot, "height": 220 if is_narrow(width) else 260}

    return figure(
        connection,
        "headcount",
        ("hr_metrics.headcount",),
        filters,
        f"""SELECT source, strftime(month_end, '%Y-%m') AS month, headcount
FROM hr_metrics.headcount
WHERE {filters.where("hr_metrics.headcount", 48)}
ORDER BY source, month""",
        lead=lambda rows: f"People in {month_name(rows)}",
        part=describe,
        draw=draw,
        why_empty=NOBODY,
    )


def headcount_by_department(connection: duckdb.DuckDBPyConnection, filters: Filters = EVERYTHING) -> Figure:
    """Headcount of the largest departments per source and month; of the teams, if no source has departments."""
    chosen = f"\n  AND member = {literal(filters.member)}" if filters.dimension in {"department", "team"} else ""

    def members(rows: Rows) -> list[str]:
        last = max(row["month"] for row in rows)
        size: dict[str, int] = {}
        for row in rows:
            # Those that are not shown for the last month come last.
            size[row["member"]] = max(size.get(row["member"], 0), row["headcount"] if row["month"] == last else 0)
        return sorted(size, key=lambda name: (-size[name], name))

    def lead(rows: Rows) -> str:
        name = members(rows)[0]
        last = [row for row in rows if row["member"] == name][-1]
        kind = str(last["dimension"])
        return f"{name} is the largest {kind}, with {last['headcount']:,} people"

    def draw(rows: Rows, width: int) -> Spec:
        shown = members(rows)[:MOST_DEPARTMENTS]
        scale = [row for row in rows if row["member"] in shown]
        top = largest(scale, "headcount")

        def panel(name: str, plot: int) -> Spec:
            found = [row for row in scale if row["member"] == name]
            chart = lines(found, "headcount", plot, top, scale=scale)
            return {**chart, "title": {"text": name, "limit": plot}, "width": plot, "height": 90}

        return in_panels(shown, panel, width, 2 if is_narrow(width) else 4)

    def note(rows: Rows) -> str:
        count = len(members(rows))
        without = [NAMES[name] for name in NAMES if name in counted and name not in present(rows)]
        parts = []
        if count > MOST_DEPARTMENTS:
            parts.append(f"The {MOST_DEPARTMENTS} largest of {count} are shown.")
        if without and not filters.sources:
            parts.append(f"Not shown for {' and '.join(without)}, where none are known or all are small.")
        return " ".join(parts)

    table = "hr_metrics.headcount"
    counted = {row["source"] for row in query(connection, f"SELECT DISTINCT source FROM {table}")}
    return figure(
        connection,
        "headcount_by_department",
        (table,),
        filters,
        f"""SELECT source, dimension, member, strftime(month_end, '%Y-%m') AS month, headcount
FROM {table}
WHERE dimension = (
    SELECT coalesce(min(dimension), 'team') FROM {table}
    WHERE dimension = 'department' AND member <> 'unknown'{filters.of_source()}
  )
  AND member <> 'unknown'
  AND {filters.of_months(table, 48)}{filters.of_source()}{chosen}
ORDER BY source, member, month""",
        lead=lead,
        part=lambda _: "",
        draw=draw,
        why_empty="No department or team is large enough to be shown, or none is known.",
        note=note,
    )


def movements(connection: duckdb.DuckDBPyConnection, filters: Filters = EVERYTHING) -> Figure:
    """Joiners and leavers per source and month."""

    def describe(rows: Rows) -> str:
        year = rows[-YEAR:]
        return f"{sum(row['joiners'] for row in year)} joined, {sum(row['leavers'] for row in year)} left"

    def draw(rows: Rows, width: int) -> Spec:
        for row in rows:
            row["minus"] = -row["leavers"]
        up, down = largest(rows, "joiners"), -largest(rows, "leavers")

        def panel(name: str, plot: int) -> Spec:
            x, color = month_axis(rows, plot), source_color(present(rows), legend=False)

            def amount(value: str) -> Spec:
                return amount_axis(value, up, bottom=down, labelExpr="format(abs(datum.value), ',.0f')")

            above = {
                "mark": {"type": "bar", "width": bar_width(rows, plot)},
                "encoding": {"x": x, "y": amount("joiners"), "color": color},
            }
            below = {
                "mark": {"type": "bar", "width": bar_width(rows, plot), "opacity": 0.45},
                "encoding": {"x": x, "y": amount("minus"), "color": color},
            }
            return {
                "data": {"values": of_source(rows, name)},
                "layer": [above, below, ZERO],
                "title": NAMES[name],
                "width": plot,
                "height": 150,
            }

        return in_panels(present(rows), panel, width, 1 if is_narrow(width) else 3)

    table = "hr_metrics.joiners"
    return figure(
        connection,
        "movements",
        (table, "hr_metrics.leavers"),
        filters,
        f"""SELECT source, strftime(month_end, '%Y-%m') AS month,
  CAST(joiners AS BIGINT) AS joiners, CAST(leavers AS BIGINT) AS leavers
FROM {table}
JOIN hr_metrics.leavers USING (source, month_end, dimension, member)
WHERE {filters.where(table, 24)}
ORDER BY source, month""",
        lead=lambda rows: f"Joined and left in the twelve months to {month_name(rows)}",
        part=describe,
        draw=draw,
        why_empty=NOBODY,
        note=lambda _: "Joiners are above the line, leavers below it.",
    )


def attrition(connection: duckdb.DuckDBPyConnection, filters: Filters = EVERYTHING) -> Figure:
    """Total, voluntary and first-year attrition of twelve months, per source."""
    kinds = {
        "attrition": "All leavers",
        "voluntary_attrition": "Voluntary",
        "first_year_attrition": "In the first year",
    }

    def draw(rows: Rows, width: int) -> Spec:
        top = largest(rows, *kinds)

        def panel(kind: str, plot: int) -> Spec:
            chart = lines(rows, kind, plot, top, scale=rows, format=PERCENT)
            return {**chart, "title": kinds[kind], "width": plot, "height": 150}

        return in_panels(list(kinds), panel, width, 1 if is_narrow(width) else 3)

    table = "hr_metrics.attrition"
    return figure(
        connection,
        "attrition",
        (table,),
        filters,
        f"""SELECT source, strftime(month_end, '%Y-%m') AS month,
  attrition, voluntary_attrition, first_year_attrition
FROM {table}
WHERE {filters.where(table, 36)}
ORDER BY source, month""",
        lead=lambda rows: f"Share of the people who left in the twelve months to {month_name(rows)}",
        part=lambda rows: f"{rows[-1]['attrition']:.1%}, of which {rows[-1]['voluntary_attrition']:.1%} voluntary",
        draw=draw,
        why_empty="No source has the thirteen month ends that attrition needs.",
    )


def absence_types(connection: duckdb.DuckDBPyConnection, filters: Filters = EVERYTHING) -> Figure:
    """Days of absence per source, category and month. Groups cannot be chosen."""

    def describe(rows: Rows) -> str:
        days: dict[str, float] = {}
        for row in rows:
            days[row["category"]] = days.get(row["category"], 0) + row["days"]
        rest = days.pop("small groups", 0)
        largest_one = max(days, key=lambda name: days[name], default="")
        if not largest_one:
            return "shows no category"
        share = days[largest_one] / (sum(days.values()) + rest)
        return f"{share:.0%} {largest_one.replace('_', ' ')}"

    def draw(rows: Rows, width: int) -> Spec:
        known = {name: color for name, color in CATEGORIES.items() if any(row["category"] == name for row in rows)}
        return stacked_bars(rows, "days", "category", known, width, height=190)

    table = "hr_metrics.absence_types"
    return figure(
        connection,
        "absence_types",
        (table,),
        filters,
        f"""WITH shown AS (
  SELECT * FROM {table}
  WHERE {filters.of_months(table, 24)}{filters.of_source()}
)
SELECT source, strftime(month_end, '%Y-%m') AS month, member AS category, days
FROM shown
WHERE dimension = 'category'
UNION ALL
-- What the small groups have in common that are left out.
SELECT source, strftime(month_end, '%Y-%m'), 'small groups',
  sum(CASE dimension WHEN 'total' THEN days ELSE -days END)
FROM shown
GROUP BY source, month_end
HAVING bool_or(dimension = 'total') AND sum(CASE dimension WHEN 'total' THEN days ELSE -days END) > 0.001
ORDER BY source, month, category""",
        lead=lambda _: "Days of absence by month",
        part=describe,
        draw=draw,
        why_empty="No absences were loaded: read absences from Personio or Factorial (Cornerstone has none).",
        note=lambda _: "In days. Categories that few people have in a month are shown together as small groups.",
        colors="category",
    )


def absence_rate(connection: duckdb.DuckDBPyConnection, filters: Filters = EVERYTHING) -> Figure:
    """Days of absence, and of sickness, per planned working day."""
    kinds = {"absence_rate": "All absences", "sick_rate": "Sickness"}

    def draw(rows: Rows, width: int) -> Spec:
        top = largest(rows, *kinds)

        def panel(kind: str, plot: int) -> Spec:
            chart = lines(rows, kind, plot, top, scale=rows, format=".1%", minExtent=40, maxExtent=40)
            return {**chart, "title": kinds[kind], "width": plot, "height": 150}

        return in_panels(list(kinds), panel, width, 1 if is_narrow(width) else 2, axis=52)

    table = "hr_metrics.absence_rate"
    return figure(
        connection,
        "absence_rate",
        (table,),
        filters,
        f"""SELECT source, strftime(month_end, '%Y-%m') AS month, absence_rate, sick_rate
FROM {table}
WHERE {filters.where(table, 24)}
ORDER BY source, month""",
        lead=lambda rows: f"Absent on the working days of {month_name(rows)}",
        part=lambda rows: f"{rows[-1]['absence_rate']:.1%}, of which {rows[-1]['sick_rate']:.1%} sick",
        draw=draw,
        why_empty="No absences were loaded: read absences from Personio or Factorial (Cornerstone has none).",
    )


def hours(connection: duckdb.DuckDBPyConnection, filters: Filters = EVERYTHING) -> Figure:
    """Worked and planned hours, and overtime per person."""

    def draw(rows: Rows, width: int) -> Spec:
        top = largest(rows, "worked_hours", "planned_hours")
        high, low = largest(rows, "overtime"), min(0.0, *(row["overtime"] for row in rows))
        sources = present(rows)

        def panel(key: tuple[str, str], plot: int) -> Spec:
            name, value = key
            x = month_axis(rows, plot)
            room: dict[str, Any] = {"minExtent": 42, "maxExtent": 42}
            color = source_color(sources, legend=False)
            bar = {"type": "bar", "width": bar_width(rows, plot)}
            if value == "overtime":
                y = amount_axis(value, high, bottom=low, **room)
                chart: Spec = {"mark": bar, "encoding": {"x": x, "y": y, "color": color}}
                title = f"{NAMES[name]}: overtime per person"
            else:
                shared = {
                    "format": "~s",
                    "labelExpr": "datum.value == 0 ? '0' : datum.label",
                    **room,
                }
                y = amount_axis("worked_hours", top, **shared)
                worked = {"mark": bar, "encoding": {"x": x, "y": y, "color": color}}
                tick = {"type": "tick", "color": INK, "thickness": 2, "orient": "horizontal"}
                planned = {
                    "mark": {**tick, "width": bar_width(rows, plot) + 8},
                    "encoding": {"x": x, "y": amount_axis("planned_hours", top, **shared)},
                }
                chart = {"layer": [worked, planned]}
                title = f"{NAMES[name]}: hours worked"
            return {
                "data": {"values": of_source(rows, name)},
                **chart,
                "title": {"text": title, "limit": plot + 40},
                "width": plot,
                "height": 150,
            }

        keys = [(name, value) for name in sources for value in ("worked_hours", "overtime")]
        return in_panels(keys, panel, width, 1 if is_narrow(width) else 2, axis=54)

    table = "hr_metrics.overtime"
    return figure(
        connection,
        "hours",
        (table,),
        filters,
        f"""SELECT source, strftime(month_end, '%Y-%m') AS month,
  worked_hours, planned_hours, overtime_hours_per_head AS overtime
FROM {table}
WHERE {filters.where(table, 24)}
ORDER BY source, month""",
        lead=lambda rows: f"Overtime per person in {month_name(rows)}",
        part=lambda rows: f"{rows[-1]['overtime']:+.1f} hours".replace("-", "\N{MINUS SIGN}"),
        draw=draw,
        why_empty="No working time was loaded: read attendances from Personio or Factorial (Cornerstone has none).",
        note=lambda _: "The marks across the bars are the planned hours.",
    )


def open_positions(connection: duckdb.DuckDBPyConnection, filters: Filters = EVERYTHING) -> Figure:
    """Open positions per source and department. Months cannot be chosen."""
    chosen = "dimension = 'department'" if filters.dimension == "total" else filters.of_group()

    def draw(rows: Rows, width: int) -> Spec:
        top = largest(rows, "positions")

        def panel(name: str, plot: int) -> Spec:
            found = of_source(rows, name)
            return {**bars(found, "department", "positions", plot, top, label="label"), "title": NAMES[name]}

        for row in rows:
            days = row["days"]
            row["department"] = "not known" if row["department"] == "unknown" else row["department"]
            row["label"] = f"{row['positions']}" + (f", open for {days:,.0f} days" if days is not None else "")
        return in_panels(present(rows), panel, width, 1 if is_narrow(width) else 2, axis=8)

    return figure(
        connection,
        "open_positions",
        ("hr_metrics.open_positions",),
        filters,
        f"""SELECT source, member AS department, CAST(positions AS BIGINT) AS positions, median_days_open AS days
FROM hr_metrics.open_positions
WHERE {chosen}{filters.of_source()}
ORDER BY source, positions DESC, department""",
        lead=lambda _: "Open positions",
        part=lambda rows: f"{sum(row['positions'] for row in rows):,}",
        draw=draw,
        why_empty="No source says that a position is open: read requisitions from Factorial or Cornerstone.",
        note=lambda _: "The days are the median since the opening.",
    )


def funnel(connection: duckdb.DuckDBPyConnection, filters: Filters = EVERYTHING) -> Figure:
    """Applications of twelve months by the stage that they reached."""

    def stages(rows: Rows) -> Rows:
        found = []
        for row in rows:
            before = None
            for index, (column, label) in enumerate(STAGES.items()):
                count = row[column]
                share = f" ({count / before:.0%})" if before else ""
                item = {"source": row["source"], "stage": label, "index": index, "count": count}
                found.append({**item, "label": f"{count:,}{share}"})
                before = count
        return found

    def draw(rows: Rows, width: int) -> Spec:
        reached = stages(rows)
        top = largest(reached, "count")

        def panel(name: str, plot: int) -> Spec:
            found = of_source(reached, name)
            return {**bars(found, "stage", "count", plot, top, label="label"), "title": NAMES[name]}

        return in_panels(present(rows), panel, width, 1 if is_narrow(width) else 3, axis=8)

    table = "hr_metrics.funnel"
    columns = ",\n  ".join(f"CAST(sum({name}) AS BIGINT) AS {name}" for name in STAGES)
    return figure(
        connection,
        "funnel",
        (table,),
        filters,
        f"""SELECT source,
  {columns}
FROM {table}
WHERE {filters.where(table, 12)}
GROUP BY source
ORDER BY source""",
        lead=lambda _: "Hired of the applications of twelve months",
        part=lambda rows: f"{rows[0]['hired']:,} of {rows[0]['applications']:,}",
        draw=draw,
        why_empty="No applications were loaded for these months, or too few in each month to be shown.",
        note=lambda _: "The percentage is the share of those who reached the previous stage.",
    )


def training(connection: duckdb.DuckDBPyConnection, filters: Filters = EVERYTHING) -> Figure:
    """Mandatory training by the month in which it is due: completed in time, late, or overdue."""

    def describe(rows: Rows) -> str:
        due = sum(row["registrations"] for row in rows)
        late = sum(row["registrations"] for row in rows if row["progress"] == "overdue")
        return f"{late:,} of {due:,} registrations"

    def draw(rows: Rows, width: int) -> Spec:
        return stacked_bars(rows, "registrations", "progress", PROGRESS, width, height=160)

    table = "hr_metrics.training_completion"
    return figure(
        connection,
        "training",
        (table,),
        filters,
        f"""UNPIVOT (
  SELECT source, strftime(month_end, '%Y-%m') AS month,
    CAST(completed_in_time AS BIGINT) AS "in time",
    CAST(completed - completed_in_time AS BIGINT) AS late,
    CAST(due - completed AS BIGINT) AS overdue
  FROM {table}
  WHERE {filters.where(table, 24)}
)
ON "in time", late, overdue INTO NAME progress VALUE registrations
ORDER BY source, month, progress""",
        lead=lambda _: "Mandatory training that is overdue",
        part=describe,
        draw=draw,
        why_empty="No mandatory training with a due date was loaded: read training from Cornerstone or Factorial"
        " (Personio has none).",
        note=lambda _: "By the month in which the training is due.",
        colors="progress",
    )


def pay_gap(connection: duckdb.DuckDBPyConnection, filters: Filters = EVERYTHING) -> Figure:
    """Median gender pay gap per source, currency and month."""

    def currencies(rows: Rows) -> list[str]:
        people: dict[str, int] = {}
        for row in rows:
            people[row["currency"]] = max(people.get(row["currency"], 0), row["men"] + row["women"])
        return sorted(people, key=lambda name: (-people[name], name))

    def describe(rows: Rows) -> str:
        main = currencies(rows)[0]
        gap = [row for row in rows if row["currency"] == main][-1]["median_gap"]
        more = "less" if gap > 0 else "more"
        return f"{abs(gap):.1%} {more} ({main})"

    def draw(rows: Rows, width: int) -> Spec:
        values = [row["median_gap"] for row in rows if row["median_gap"] is not None]
        high, low = max(0.05, *values), min(-0.05, *values)

        def panel(currency: str, plot: int) -> Spec:
            found = [row for row in rows if row["currency"] == currency]
            label = "datum.value == 0 ? '0%' : datum.label"
            chart = lines(found, "median_gap", plot, high, bottom=low, scale=rows, format="+.0%", labelExpr=label)
            return {"layer": [ZERO, chart], "title": f"Paid in {currency}", "width": plot, "height": 150}

        return in_panels(currencies(rows)[:6], panel, width, 1 if is_narrow(width) else 3)

    table = "hr_metrics.gender_pay_gap"
    return figure(
        connection,
        "pay_gap",
        (table,),
        filters,
        f"""SELECT source, currency, strftime(month_end, '%Y-%m') AS month, men, women, median_gap
FROM {table}
WHERE {filters.where(table, 36)}
ORDER BY source, currency, month""",
        lead=lambda rows: f"Women's pay per hour in {month_name(rows)}, compared with men's (median)",
        part=describe,
        draw=draw,
        why_empty="No pay was loaded, or it covers too few women or men to compare.",
        note=lambda _: "Above zero, men earn more. Currencies are not compared with each other.",
    )


def pay_quartiles(connection: duckdb.DuckDBPyConnection, filters: Filters = EVERYTHING) -> Figure:
    """Share of women in each quarter of the pay. Groups cannot be chosen."""

    def draw(rows: Rows, width: int) -> Spec:
        labels = {"1": "Lowest", "2": "Second", "3": "Third", "4": "Highest"}
        for row in rows:
            row["name"] = labels.get(row["quartile"][-1], row["quartile"])
            row["label"] = f"{row['share_women']:.0%}"
        keys = sorted({(row["source"], row["currency"]) for row in rows}, key=lambda key: (key[1], key[0]))

        def panel(key: tuple[str, str], plot: int) -> Spec:
            found = [row for row in rows if (row["source"], row["currency"]) == key]
            chart = bars(found, "name", "share_women", plot, 1, label="label")
            return {**chart, "title": f"{NAMES[key[0]]}, paid in {key[1]}"}

        return in_panels(keys, panel, width, 1 if is_narrow(width) else 2, axis=8)

    table = "hr_metrics.gender_pay_quartiles"
    return figure(
        connection,
        "pay_quartiles",
        (table,),
        filters,
        f"""SELECT source, currency, member AS quartile, share_women
FROM {table}
WHERE month_end = {filters.last_month(table)}{filters.of_source()}
ORDER BY source, currency, quartile""",
        lead=lambda _: "Women in the best-paid quarter of the people",
        part=lambda rows: f"{rows[-1]['share_women']:.0%} ({rows[-1]['currency']})",
        draw=draw,
        why_empty="No pay was loaded, or it covers too few women or men to compare.",
    )


FIGURES: dict[str, Callable[..., Figure]] = {
    function.__name__: function
    for function in (
        headcount,
        headcount_by_department,
        movements,
        attrition,
        absence_types,
        absence_rate,
        hours,
        open_positions,
        funnel,
        training,
        pay_gap,
        pay_quartiles,
    )
}
"""The charts by name."""
