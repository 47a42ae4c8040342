"""A notebook about the HR models in a DuckDB file, with filters and a place to ask in SQL.

    HR_DATABASE=output/warehouse.duckdb marimo run explore.py

The file is only read, and open while a cell reads it.
"""

import marimo

app = marimo.App(width="medium", app_title="HR")


@app.cell
def imports():
    import os
    from pathlib import Path

    import marimo as mo
    from hr_report.database import ReportError, opened
    from hr_report.figure import Filters
    from hr_report.figures import FIGURES

    return FIGURES, Filters, Path, ReportError, mo, opened, os


@app.cell
def open_file(Path, ReportError, mo, opened, os):
    database = Path(os.environ.get("HR_DATABASE") or "output/warehouse.duckdb")

    def ask(sql):
        """Runs a query, and returns its rows."""
        with opened(database) as connection:
            return connection.sql(sql).pl()

    try:
        months = ask("SELECT DISTINCT month_end FROM hr_metrics.headcount ORDER BY ALL DESC")["month_end"].to_list()
        sources = ask("SELECT DISTINCT source FROM hr_metrics.headcount ORDER BY ALL DESC")["source"].to_list()
        departments = ask(
            "SELECT DISTINCT member FROM hr_metrics.headcount WHERE dimension = 'department' ORDER BY ALL"
        )["member"].to_list()
        problem = ""
    except ReportError as error:
        problem = str(error)
    mo.stop(bool(problem), mo.callout(problem, kind="warn"))
    return ask, database, departments, months, sources


@app.cell
def choose(departments, mo, months, sources):
    since = mo.ui.dropdown({str(month): month for month in months}, label="From")
    until = mo.ui.dropdown({str(month): month for month in months}, label="To")
    chosen = mo.ui.multiselect(sources, label="Sources")
    department = mo.ui.dropdown(departments, label="Department")
    mo.vstack([mo.md(f"# HR\n\n{len(months)} months"), mo.hstack([since, until, chosen, department], justify="start")])
    return chosen, department, since, until


@app.cell
def draw(FIGURES, Filters, chosen, database, department, mo, opened, since, until):
    filters = Filters(
        sources=tuple(chosen.value),
        since=since.value,
        until=until.value,
        dimension="department" if department.value else "total",
        member=department.value or "total",
    )

    def shown(figure):
        """A chart with its definition and query, or why there is none."""
        explained = "\n\n".join(f"`{table}`: {text}" for table, text in figure.definitions.items())
        return mo.vstack(
            [
                mo.md(f"## {figure.title}"),
                mo.md(f"*{figure.empty}*") if figure.empty else mo.Html(figure.svg()),
                mo.md(figure.note),
                mo.accordion({"Definition and SQL": mo.md(f"{explained}\n\n```sql\n{figure.sql}\n```")}),
            ]
        )

    with opened(database) as _connection:
        figures = {name: function(_connection, filters) for name, function in FIGURES.items()}
    mo.vstack([shown(figure) for figure in figures.values()])
    return (figures,)


@app.cell
def write(mo):
    editor = mo.ui.code_editor(
        "SELECT source, status, count(*) AS people\nFROM hr.employee\nGROUP BY ALL\nORDER BY ALL",
        language="sql",
        label="## Ask in SQL",
        debounce=True,
    )
    editor
    return (editor,)


@app.cell
def answer(ReportError, ask, editor, mo):
    import duckdb

    try:
        rows = ask(editor.value)
        answered = mo.ui.table(rows)
    except (ReportError, duckdb.Error) as error:
        rows = None
        answered = mo.callout(str(error), kind="warn")
    answered
    return (rows,)


if __name__ == "__main__":
    app.run()
