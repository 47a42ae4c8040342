"""The dossier as one HTML page that needs nothing else."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timezone
from importlib.resources import files
from typing import TYPE_CHECKING

from singer_rest.dossier.contract import stream_maps_of
from singer_rest.dossier.elements import code, element, prose, to_html
from singer_rest.dossier.inventory import ROW, parse_permission
from singer_rest.dossier.questions import GROUPS, NUMBERS, Blank, ColumnList, NameList, Questions, Rows, Sentence
from singer_rest.privacy.classes import CLASSES, TOP_CLASSES, UNCLASSIFIED, lookup_class
from singer_rest.privacy.profiles import ACTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from xml.etree.ElementTree import Element

    from singer_rest.dossier.agreement import Difference, Treated
    from singer_rest.dossier.answers import Answers
    from singer_rest.dossier.elements import Child
    from singer_rest.dossier.inventory import Column, Inventory, LeftOut, RowGroup, Table
    from singer_rest.dossier.questions import Block
    from singer_rest.dossier.texts import Texts

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
ENGLISH = "en"


def make_page(
    inventory: Inventory, answers: Answers, texts: Texts, differences: Sequence[Difference] | None = None
) -> str:
    """Returns the page as HTML.

    Args:
        inventory: What would be loaded.
        answers: The answers that people gave.
        texts: The texts in a language.
        differences: The differences from an earlier dossier. None: there was none.
    """
    return to_html(_Page(inventory, answers, texts, differences).build())


class _Page:
    def __init__(
        self, inventory: Inventory, answers: Answers, texts: Texts, differences: Sequence[Difference] | None
    ) -> None:
        self._inventory = inventory
        self._answers = answers
        self._texts = texts
        self._differences = differences
        self._questions = Questions(inventory, answers, texts, differences)

    def build(self) -> Element:
        title = self._texts.get("page", "title", vendor=self._inventory.vendor)
        styles = (files("singer_rest.dossier") / "page.css").read_text(encoding="utf-8")
        sections = [*self._sections()]
        return element(
            "html",
            element(
                "head",
                element("meta", charset="utf-8"),
                element("meta", http_equiv="Content-Security-Policy", content=POLICY),
                element("meta", name="viewport", content="width=device-width, initial-scale=1"),
                element("meta", name="color-scheme", content="light dark"),
                element("title", title),
                element("link", rel="icon", href="data:,"),
                element("style", styles),
            ),
            element(
                "body",
                element("header", element("h1", title), self._lead()),
                self._navigation(),
                element("main", sections),
            ),
            lang=self._texts.language,
        )

    def _get(self, section: str, name: str, **values: object) -> str:
        return self._texts.get(section, name, **values)

    def _paragraph(self, section: str, name: str, class_: str | None = None, **values: object) -> Element:
        return element("p", prose(self._get(section, name, **values)), class_=class_)

    def _english(self, tag: str, *children: Child) -> Element:
        """Returns an element whose text is from the catalog, which is in English."""
        return element(tag, *children, lang=None if self._texts.language == ENGLISH else ENGLISH)

    def _lead(self) -> Iterator[Element]:
        inventory, tap = self._inventory, self._inventory.tap
        date = self._texts.format_date(datetime.now(timezone.utc).date())
        yield self._paragraph("page", "lead", tap=tap.name)
        yield self._paragraph("page", "written", "muted", date=date, tap=tap.name, version=tap.plugin_version)
        yield self._paragraph("page", "no_advice", "muted")
        if self._get("page", "english_note"):
            yield self._paragraph("page", "english_note", "muted")
        if inventory.is_offline and any(table.is_defined_by_company for table in inventory.tables):
            yield self._paragraph("page", "offline", "notice")
        if not inventory.has_catalog:
            yield self._paragraph("page", "no_catalog", "notice")
        if maps := stream_maps_of(inventory):
            names = ", ".join(f"`{name}`" for name in maps)
            yield self._paragraph("page", "stream_maps", "notice", names=names)
        for problem in tap.discovery_problems:
            text = self._get("page", "discovery_problem", problem="")
            yield element("p", text, self._english("span", problem), class_="notice")

    def _navigation(self) -> Element:
        names = ["summary", "questions", "permissions", "tables", "left_out", "glossary"]
        if self._differences is not None:
            names.insert(1, "changes")
        links = [element("li", element("a", self._get(name, "heading"), href=f"#{name}")) for name in names]
        return element("nav", element("ul", links), aria_label=self._get("page", "contents"))

    def _section(self, name: str, *children: Child, class_: str | None = None) -> Element:
        heading = element("h2", self._get(name, "heading"))
        return element("section", heading, *children, id=name, class_=class_)

    def _sections(self) -> Iterator[Element]:
        yield self._section("summary", self._summary())
        if self._differences is not None:
            yield self._section("changes", self._changes(self._differences))
        yield self._section("questions", self._question_groups(), class_="page")
        yield self._section("permissions", self._permissions())
        tables = [
            element("li", element("a", code(table.name), href=f"#table-{table.name}")) for table in self._tables()
        ]
        yield self._section("tables", element("ul", tables, class_="index"), class_="plain page")
        yield from map(self._table, self._tables())
        yield self._section("left_out", self._left_out())
        yield self._section("glossary", self._glossary(), class_="page")

    def _tables(self) -> Sequence[Table]:
        return self._inventory.tables

    def _summary(self) -> Iterator[Element]:
        columns = [column for table in self._tables() for column in table.columns]
        loaded = [column for column in columns if column.is_loaded]
        kept = sum(column.action == "keep" for column in loaded)
        tiles = {
            "profile": self._inventory.tap.privacy.profile.name,
            "tables": len(self._tables()),
            "kept": kept,
            "changed": len(loaded) - kept,
            "left_out": len(columns) - len(loaded),
        }
        yield element(
            "dl",
            [
                element(
                    "div",
                    element("dt", self._get("summary", name)),
                    element("dd", self._texts.format_value(value)),
                    class_="tile",
                )
                for name, value in tiles.items()
            ],
            class_="tiles",
        )
        yield element("h3", self._get("summary", "by_class"))
        yield self._counts(columns)

    def _counts(self, columns: Sequence[Column]) -> Element:
        counts = Counter((column.top_class, _effect(column)) for column in columns)
        actions = [name for name in ACTIONS if any(action == name for _, action in counts)]
        actions.sort(key="drop".__eq__)  # last
        classes = [name for name in TOP_CLASSES if any(found == name for found, _ in counts)]
        rows = [
            element(
                "tr",
                element("td", self._texts.class_label(name), title=self._texts.class_descriptions[name]),
                [self._number_cell(counts[name, action]) for action in actions],
                self._number_cell(sum(counts[name, action] for action in actions)),
            )
            for name in classes
        ]
        heads = [*map(self._texts.action_label, actions), self._get("summary", "total")]
        head = element(
            "tr", element("th", self._get("summary", "class")), [element("th", text, class_="number") for text in heads]
        )
        return element("div", element("table", element("thead", head), element("tbody", rows)), class_="wide")

    def _number_cell(self, number: int) -> Element:
        return element("td", self._texts.format_value(number) if number else "", class_="number")

    def _changes(self, differences: Sequence[Difference]) -> Iterator[Element]:
        if not differences:
            yield self._paragraph("changes", "none")
        for kind in ("added", "looser", "class", "maps", "stricter", "removed"):
            found = [one for one in differences if one.kind == kind]
            if not found:
                continue
            yield element("h3", self._get("changes", kind))
            if kind == "maps":
                continue
            head = [self._get("changes", name) for name in ("column", "before", "now")]
            rows: list[list[Child]] = [
                [code(f"{one.stream}.{one.path}"), self._treated(one.agreed), self._treated(one.current)]
                for one in found
            ]
            yield _make_table(head, rows)

    def _treated(self, treated: Treated | None) -> str:
        """Returns how a column is or was loaded, in words."""
        if treated is None:
            return self._texts.action_label("drop")
        label = self._texts.class_label(treated.protection) if treated.protection in CLASSES else treated.protection
        action = self._texts.action_label(treated.action) if treated.action in ACTIONS else treated.action
        return f"{label}; {action}"

    def _question_groups(self) -> Iterator[Element]:
        for group, names in GROUPS.items():
            yield element("h3", self._get("questions", group))
            items = [
                element(
                    "li",
                    element("h4", f"{NUMBERS[name]}. {self._get('questions', name)}"),
                    [self._block(block) for block in self._questions.answer(name)],
                    id=f"question-{NUMBERS[name]}",
                )
                for name in names
            ]
            yield element("ol", items, class_="questions")

    def _block(self, block: Block) -> Element:
        if isinstance(block, Sentence):
            return element("p", prose(block.text))
        if isinstance(block, NameList):
            return element("ul", [element("li", code(name)) for name in block.names], class_="names")
        if isinstance(block, ColumnList):
            items = [
                element("li", code(f"{table.name}.{column.path}"), ": ", self._action(column))
                for table, column in block.columns
            ]
            return element("ul", items, class_="names")
        if isinstance(block, Rows):
            return _make_table(block.head, block.rows)
        return self._blank(block)

    def _blank(self, block: Blank) -> Element:
        """Returns an answer, or a field to fill in."""
        given = [(name, self._answer(block.name, text)) for name, text in self._answers.items(block.name)]
        label = self._texts.section("fields").get(block.name)
        if not given:
            named = f"{self._get('page', 'fill')}: {f'{label}, ' if label else ''}"
            return element("div", named, code(block.name), class_="blank")
        if block.name == "retention":
            given = [
                (name, self._get("facts", "months", count=int(text)) if text.isdigit() else text)
                for name, text in given
            ]
        lines = [element("p", element("strong", f"{name}: ") if text else None, text or name) for name, text in given]
        heading = element("p", f"{label}:", class_="muted") if label else None
        return element("div", heading, lines, class_="answer")

    def _answer(self, name: str, text: str) -> str:
        return self._get("facts", "months", count=int(text)) if name == "retention" and text.isdigit() else text

    def _permissions(self) -> Iterator[Element]:
        yield self._paragraph("permissions", "lead")
        yield from map(self._block, self._questions.answer("permissions"))
        if advice := self._inventory.tap.permission_advice:
            yield element("p", self._english("span", advice), class_="muted")

    def _table(self, table: Table) -> Element:
        about = [self._english("p", prose(f"{ROW}{table.row}."))] if table.row else []
        about += [self._english("p", prose(table.notes))] if table.notes else []
        facts: dict[str, Child] = {
            "permission": self._permission(table),
            "key": [[code(key), " "] for key in table.keys] or self._get("tables", "key_none"),
        }
        rows = [element("dt", self._get("tables", name)) for name in facts]
        values = [element("dd", value) for value in facts.values()]
        pairs = [part for pair in zip(rows, values, strict=True) for part in pair]
        return element(
            "section",
            element("h2", code(table.name)),
            about,
            element("dl", pairs, class_="facts"),
            self._columns(table),
            [self._rows(rows) for rows in table.row_groups],
            self._not_loaded(table),
            self._own_columns(table),
            id=f"table-{table.name}",
        )

    def _permission(self, table: Table) -> Child:
        if table.permission is None:
            return self._get("tables", "public")
        found = parse_permission(table.permission)
        name = code(found.name) if found.name else self._get("tables", "unnamed")
        return [name, f", {self._get('tables', 'module', module=found.module)}" if found.module else None]

    def _columns(self, table: Table) -> Element:
        head = [self._get("tables", name) for name in ("column", "description", "class", "treatment")]
        key = self._get("tables", "is_key")
        rows = [
            element(
                "tr",
                element("td", code(column.path), element("span", key, class_="key") if column.is_key else None),
                self._english("td", prose(column.description)),
                element("td", self._texts.class_label(column.protection.name), self._person(column)),
                element("td", self._action(column)),
            )
            for column in table.loaded
        ]
        titles = element("tr", [element("th", text) for text in head])
        return element("table", element("thead", titles), element("tbody", rows), class_="columns")

    def _person(self, column: Column) -> Element | None:
        """Returns whom an id identifies."""
        if column.refers_to.get("form") not in {"id", "number"}:
            return None
        return element("div", self._texts.get("subjects", column.subjects), class_="muted")

    def _action(self, column: Column) -> Element:
        name = "keep" if column.action == "keep" else "changed"
        return element("span", self._texts.action_label(column.action), class_=name)

    def _rows(self, rows: RowGroup) -> Element:
        name = "rows_loaded" if rows.is_loaded else "rows_dropped"
        label = self._texts.class_label(rows.rule.name)
        return self._paragraph("tables", name, "notice", rows=rows.path, class_label=label)

    def _not_loaded(self, table: Table) -> Element | None:
        """Returns the columns that are not loaded, by class."""
        if not table.left_out:
            return None
        groups: dict[tuple[str, str], list[Column]] = {}
        for column in table.left_out:
            groups.setdefault((column.protection.name, column.reason), []).append(column)
        order = [*CLASSES]
        lines = [
            element(
                "p",
                element("strong", self._texts.class_label(name)),
                f" ({self._get('tables', f'by_{reason}')}): ",
                [[", " if number else "", code(column.path)] for number, column in enumerate(columns)],
            )
            for (name, reason), columns in sorted(groups.items(), key=lambda item: order.index(item[0][0]))
        ]
        heading = f"{self._get('tables', 'left_out')}: {self._texts.format_value(len(table.left_out))}"
        return element("div", element("h4", heading), lines, class_="left-out")

    def _own_columns(self, table: Table) -> Element | None:
        if not (table.is_defined_by_company and self._inventory.is_offline):
            return None
        actions = self._inventory.tap.privacy.profile.actions
        is_dropped = lookup_class(UNCLASSIFIED, actions) == "drop"
        unknown = self._get("tables", "unknown_dropped" if is_dropped else "unknown_kept")
        return self._paragraph("tables", "by_company", "notice", unknown=unknown)

    def _left_out(self) -> Element:
        if not self._inventory.left_out:
            return self._paragraph("left_out", "none")
        head = [self._get("left_out", name) for name in ("stream", "why")]
        return _make_table(head, [[code(one.name), prose(self._why(one))] for one in self._inventory.left_out])

    def _why(self, one: LeftOut) -> str:
        return self._get("left_out", one.reason, detail=one.detail)

    def _glossary(self) -> Iterator[Element]:
        yield element("h3", self._get("glossary", "classes"))
        yield _make_table(
            [self._get("summary", "class"), self._get("summary", "about")],
            [
                [[self._texts.class_label(name), " ", code(name)], self._texts.class_descriptions[name]]
                for name in CLASSES
            ],
        )
        yield element("h3", self._get("glossary", "actions"))
        yield _make_table(
            [self._get("tables", "treatment"), self._get("summary", "about")],
            [
                [[self._texts.action_label(name), " ", code(name)], self._texts.action_descriptions[name]]
                for name in ACTIONS
            ],
        )


def _effect(column: Column) -> str:
    return column.action if column.is_loaded else "drop"


def _make_table(head: Sequence[str], rows: Sequence[Sequence[Child]]) -> Element:
    titles = element("tr", [element("th", text) for text in head])
    body = [element("tr", [element("td", cell) for cell in row]) for row in rows]
    return element("div", element("table", element("thead", titles), element("tbody", body)), class_="wide")
