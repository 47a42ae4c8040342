"""Write the pages, and parts of pages, that follow from the code.

    python docs/pages.py

The part of a page stands between two comments, `<!-- lists -->` and `<!-- /lists -->`.
"""

from __future__ import annotations

from pathlib import Path

from tap_factorial.table import Row, stream_name, table

ROOT = Path(__file__).parent.parent
FACTORIAL = ROOT / "tap-factorial" / "README.md"


def lists_of_factorial() -> str:
    """A table of all lists, by module."""
    found = ["| module | scope | streams |", "|---|---|---|"]
    for module, rows in sorted(table().lists.items()):
        streams = ", ".join(f"`{stream_name(f'{module}/{name}')}`{_marks(row)}" for name, row in rows.items())
        found.append(f"| {module} | {table().scopes.get(module, '')} | {streams} |")
    return "\n".join(found)


def _marks(row: Row) -> str:
    """What is particular about a list, in few words."""
    marks = []
    if row.optional:
        marks.append("off")
    if row.setting:
        marks.append(f"needs {next(iter(row.setting.values()))}")
    if row.changed_since or row.changed_on:
        marks.append("incremental")
    if row.parent:
        marks.append(f"walks `{stream_name(row.parent)}`")
    if row.window:
        marks.append("by dates")
    if row.requests:
        marks.append(f"{len(row.requests)} passes")
    if row.key != ("id",):
        marks.append(f"key {', '.join(row.key)}" if row.key else "no key")
    if row.since:
        marks.append(f"from {row.since}")
    if row.until < "9":
        marks.append(f"to {row.until}")
    return f" ({'; '.join(marks)})" if marks else ""


def files() -> dict[Path, str]:
    """The pages and what stands in them."""
    parts = {FACTORIAL: {"lists": lists_of_factorial()}}
    return {page: _with(page.read_text(), some) for page, some in parts.items()}


def _with(text: str, parts: dict[str, str]) -> str:
    for name, part in parts.items():
        begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        head, _, rest = text.partition(begin)
        _, _, tail = rest.partition(end)
        text = f"{head}{begin}\n{part}\n{end}{tail}"
    return text


def main() -> None:
    """Write them."""
    for path, text in files().items():
        path.write_text(text)


if __name__ == "__main__":
    main()
