"""The questions of the works council, data protection and security, answered with what the tap knows."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from importlib import metadata
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from singer_rest.dossier.contract import unique
from singer_rest.privacy.classes import UNCLASSIFIED, lookup_class
from singer_rest.privacy.profiles import ACTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from singer_rest.dossier.agreement import Difference
    from singer_rest.dossier.answers import Answers
    from singer_rest.dossier.inventory import Column, Inventory, Table
    from singer_rest.dossier.texts import Texts

    TableColumns = Sequence[tuple[Table, Column]]

GROUPS: dict[str, tuple[str, ...]] = {
    "council": (
        "purpose",
        "excluded_uses",
        "subjects",
        "columns",
        "treatment",
        "conduct",
        "evaluation",
        "smallest_group",
        "readers",
        "combined_with",
        "retention",
        "changes",
        "writes",
    ),
    "protection": (
        "record",
        "legal_basis",
        "impact_assessment",
        "need",
        "subject_access",
        "erasure",
        "backups",
        "default",
    ),
    "security": ("permissions", "secrets", "destination", "hosts", "versions"),
}
"""The questions by who asks them, in the order of their numbers."""
NUMBERS = {name: number for number, name in enumerate((name for names in GROUPS.values() for name in names), 1)}
CRITERIA: dict[str, tuple[str, ...]] = {
    "evaluation": ("evaluation",),
    "automated": (),
    "monitoring": ("conduct",),
    "sensitive": ("secret", "special", "national_id", "bank", "pay", "contact"),
    "scale": (),
    "matching": (),
    "vulnerable": (),
    "innovative": (),
    "prevents": (),
}
"""The criteria of the guidelines WP 248 rev.01, with the classes that indicate them."""
EMPLOYEES = {"person", "employee", "access", "user", "guid", "number"}
"""The kinds of ids by which rows are about employees."""


class Sentence(NamedTuple):
    """A sentence."""

    text: str


class ColumnList(NamedTuple):
    """A list of columns, with what happens to each."""

    columns: TableColumns


class NameList(NamedTuple):
    """A list of names, such as permissions."""

    names: Sequence[str]


class Rows(NamedTuple):
    """A small table."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


class Blank(NamedTuple):
    """An answer that people give, under its key in the file of answers. Empty until they do."""

    name: str


Block: TypeAlias = "Sentence | ColumnList | NameList | Rows | Blank"


@dataclass
class Questions:
    """Answers the questions.

    Args:
        inventory: What would be loaded.
        answers: The answers that people gave.
        texts: The texts in a language.
        differences: The differences from an earlier dossier. None: there was none.
    """

    inventory: Inventory
    answers: Answers
    texts: Texts
    differences: Sequence[Difference] | None = None
    _methods: dict[str, Callable[[], Iterator[Block]]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Finds the method of each question."""
        self._methods = {name: getattr(self, f"_answer_{name}") for name in NUMBERS}

    def answer(self, name: str) -> list[Block]:
        """Returns the answer to a question."""
        return list(self._methods[name]())

    def _fact(self, name: str, **values: object) -> Sentence:
        return Sentence(self.texts.get("facts", name, **values))

    def _columns_or(self, columns: TableColumns, some: str, none: str) -> Iterator[Block]:
        if columns:
            yield self._fact(some)
            yield ColumnList(columns)
        else:
            yield self._fact(none)

    def _answer_purpose(self) -> Iterator[Block]:
        yield Blank("purpose")

    def _answer_excluded_uses(self) -> Iterator[Block]:
        yield Blank("excluded_uses")

    def _answer_subjects(self) -> Iterator[Block]:
        yield self._fact("people", people=self._people()) if self.inventory.subjects else self._fact("people_none")
        yield self._fact("no_filter")
        if others := self.inventory.of_classes("contact", "demographic.family"):
            yield self._fact("third_parties")
            yield ColumnList(others)
        yield Blank("subjects")

    def _people(self) -> str:
        return "; ".join(self.texts.get("subjects", name) for name in self.inventory.subjects)

    def _answer_columns(self) -> Iterator[Block]:
        tables = self.inventory.tables
        left_out = sum(len(table.left_out) for table in tables)
        yield self._fact("counts", tables=len(tables), loaded=len(self.inventory.loaded), left_out=left_out)
        since = self.inventory.tap.config.get("start_date")
        yield self._fact("since", date=since) if since else self._fact("since_ever")

    def _answer_treatment(self) -> Iterator[Block]:
        yield self._fact("before_load")
        counts = Counter(column.action for _, column in self.inventory.loaded)
        for action in ACTIONS:
            if counts[action]:
                label = self.texts.action_label(action)
                yield self._fact("action_count", action=label, count=counts[action])
        if counts["pseudonym"]:
            yield self._fact("pseudonyms")
            yield self._fact("row_ids", vendor=self.inventory.vendor)
        yield self._fact("unknown_dropped" if self._drops_unknown() else "unknown_kept")

    def _drops_unknown(self) -> bool:
        return lookup_class(UNCLASSIFIED, self.inventory.tap.privacy.profile.actions) == "drop"

    def _answer_conduct(self) -> Iterator[Block]:
        yield from self._columns_or(self.inventory.of_classes("conduct"), "conduct", "conduct_none")
        stamps = [column for _, column in self.inventory.of_classes("technical") if _is_timestamp(column)]
        yield self._fact("timestamps", count=len(stamps))

    def _answer_evaluation(self) -> Iterator[Block]:
        yield from self._columns_or(self.inventory.of_classes("evaluation"), "evaluation", "evaluation_none")

    def _answer_smallest_group(self) -> Iterator[Block]:
        yield self._fact("single_rows")
        yield Blank("smallest_group")

    def _answer_readers(self) -> Iterator[Block]:
        yield Blank("readers")

    def _answer_combined_with(self) -> Iterator[Block]:
        yield self._fact(f"email_{self._email_treatment()}")
        yield Blank("combined_with")

    def _email_treatment(self) -> str:
        actions = {column.action for _, column in self.inventory.of_classes("direct_id.email")}
        return "kept" if "keep" in actions else "pseudonym" if actions else "none"

    def _answer_retention(self) -> Iterator[Block]:
        yield self._fact("deletions")
        yield self._fact("retain")
        yield Blank("retention")

    def _answer_changes(self) -> Iterator[Block]:
        if self.differences is None:
            yield self._fact("no_earlier")
        elif self.differences:
            more = sum(one.is_more for one in self.differences)
            yield self._fact("changes", more=more, less=len(self.differences) - more)
        else:
            yield Sentence(self.texts.get("changes", "none"))

    def _answer_writes(self) -> Iterator[Block]:
        yield self._fact("reads")
        if posts := [table.name for table in self.inventory.tables if table.method != "GET"]:
            yield self._fact("posts")
            yield NameList(posts)

    def _answer_record(self) -> Iterator[Block]:
        yield self._fact("a")
        yield Blank("controller")
        yield Blank("data_protection_officer")
        yield Blank("works_council")
        yield self._fact("b", number=NUMBERS["purpose"])
        yield self._fact("c")
        if self.inventory.subjects:
            yield self._fact("people", people=self._people())
        yield self._fact("class_list", classes=self.texts.class_labels(self.inventory.loaded_classes))
        yield self._fact("d")
        yield Blank("recipients")
        yield self._fact("e")
        yield Blank("third_countries")
        yield self._fact("f", number=NUMBERS["retention"])
        yield self._fact("g")
        changed = sum(column.action != "keep" for table in self.inventory.tables for column in table.columns)
        addresses = self.inventory.addresses
        is_encrypted = bool(addresses) and all(one.startswith("https://") for one in addresses)
        https = self.texts.get("page", "affirmed" if is_encrypted else "not_affirmed")
        profile = self.inventory.tap.privacy.profile.name
        yield self._fact("measures", profile=profile, changed=changed, https=https)
        yield Blank("measures")

    def _answer_legal_basis(self) -> Iterator[Block]:
        yield from self._columns_or(self.inventory.of_classes("special"), "special", "special_none")
        yield Blank("legal_basis")

    def _answer_impact_assessment(self) -> Iterator[Block]:
        yield self._fact("criteria")
        head = [self.texts.get("facts", name) for name in ("criterion", "indication")]
        names = self.texts.section("criteria")
        yield Rows(head, [(names[name], self._indication(name, classes)) for name, classes in CRITERIA.items()])
        yield Blank("impact_assessment")

    def _indication(self, criterion: str, classes: Sequence[str]) -> str:
        found = [name for name in self.inventory.loaded_classes if name in classes]
        if found:
            return self.texts.get("criteria", "found", classes=self.texts.class_labels(found))
        if classes:
            return self.texts.get("criteria", "absent")
        if criterion == "vulnerable" and EMPLOYEES & {*self.inventory.subjects}:
            return self.texts.get("criteria", "vulnerable_found")
        if criterion == "matching" and self._email_treatment() != "none":
            return self.texts.get("criteria", "matching_found")
        return self.texts.get("criteria", "assess")

    def _answer_need(self) -> Iterator[Block]:
        counts = Counter(column.top_class for _, column in self.inventory.loaded)
        needed = dict(self.answers.items("need"))
        rows = [
            (self.texts.class_label(name), self.texts.format_value(counts[name]), needed.get(name, ""))
            for name in self.inventory.loaded_classes
        ]
        head = (
            self.texts.get("summary", "class"),
            self.texts.get("facts", "columns_head"),
            self.texts.get("facts", "need_head"),
        )
        yield Rows(head, rows)
        if not needed:
            yield Blank("need")

    def _answer_subject_access(self) -> Iterator[Block]:
        columns = [(table, column) for table, column in self.inventory.loaded if column.is_key and column.subjects]
        columns += self.inventory.of_classes("direct_id.email", "direct_id.number")
        if columns:
            yield self._fact("find_person", people=self._people())
            yield ColumnList(columns)
        else:
            yield self._fact("find_none")
        if any(column.action == "pseudonym" for _, column in columns):
            yield self._fact("find_pseudonym", tap=self.inventory.tap.name)
        yield self._fact("access")
        yield Blank("subject_access")

    def _answer_erasure(self) -> Iterator[Block]:
        yield self._fact("deletions")
        yield self._fact("forget", vendor=self.inventory.vendor)
        yield Blank("erasure")

    def _answer_backups(self) -> Iterator[Block]:
        yield self._fact("backups")
        yield Blank("backups")

    def _answer_default(self) -> Iterator[Block]:
        tap = self.inventory.tap
        profile = tap.privacy.profile
        yield self._fact("profile", profile=profile.name, fingerprint=profile.fingerprint)
        yield self._fact("default")
        yield self._fact("unknown_dropped" if self._drops_unknown() else "unknown_kept")
        yield self._fact("agreement" if tap.config.get("privacy_agreement") else "agreement_none")

    def _answer_permissions(self) -> Iterator[Block]:
        needed = self.inventory.permissions
        yield self._fact("permissions")
        yield NameList(unique(permission.name for permission in needed))
        if modules := unique(permission.module for permission in needed):
            yield self._fact("modules")
            yield NameList(sorted(modules))
        if unnamed := [permission.module for permission in needed if not permission.name]:
            yield self._fact("unnamed")
            yield NameList(unnamed)
        if any(table.restricts_columns for table in self.inventory.tables):
            yield self._fact("attributes")

    def _answer_secrets(self) -> Iterator[Block]:
        tap = self.inventory.tap
        names = [name for name, part in tap.config_jsonschema["properties"].items() if part.get("secret")]
        yield self._fact("secrets", names=", ".join(f"`{name}`" for name in names))
        if self.inventory.secrets:
            yield self._fact("secrets_set")
            yield NameList(self.inventory.secrets)
        else:
            yield self._fact("secrets_none")
        if tap.privacy.profile.uses_pseudonyms:
            yield self._fact("key")
        yield self._fact("meltano")
        yield Blank("key_custody")

    def _answer_destination(self) -> Iterator[Block]:
        yield self._fact("batch_files" if self.inventory.tap.config.get("batch_config") else "no_files")
        yield self._fact("loader_files")
        yield Blank("destination")

    def _answer_hosts(self) -> Iterator[Block]:
        if addresses := self.inventory.addresses:
            yield self._fact("hosts")
            yield NameList(addresses)
        else:
            yield self._fact("hosts_none")
        yield self._fact("proxy")
        yield self._fact("telemetry")

    def _answer_versions(self) -> Iterator[Block]:
        head = [self.texts.get("facts", name) for name in ("package", "version", "licence")]
        yield Rows(head, _list_packages(self.inventory.tap.name, "singer-rest"))


def _is_timestamp(column: Column) -> bool:
    return column.schema.get("format") == "date-time"


def _list_packages(*names: str) -> list[tuple[str, str, str]]:
    """Returns name, version and licence of packages and of all installed packages that they need."""
    due = [*names]
    found: dict[str, tuple[str, str, str]] = {}
    while due:
        package = re.sub(r"[-_.]+", "-", due.pop(0)).lower()
        if package in found:
            continue
        try:
            distribution = metadata.distribution(package)
        except metadata.PackageNotFoundError:  # only needed elsewhere
            continue
        found[package] = (package, distribution.version, _find_licence(distribution.metadata))
        due += [
            named[0]
            for needed in distribution.requires or ()
            if "extra ==" not in needed and (named := re.match(r"[\w.-]+", needed))
        ]
    own = [found.pop(name) for name in names if name in found]
    return [*own, *sorted(found.values())]


def _find_licence(about: metadata.PackageMetadata) -> str:
    """Returns the licence in the metadata of a package. Its text may be there instead of its name."""
    names = [text for key in ("License-Expression", "License") for text in about.get_all(key) or ()]
    named = [text for text in about.get_all("Classifier") or () if text.startswith("License ::")]
    return next((str(text).strip() for text in names if "\n" not in str(text).strip()), "") or ", ".join(
        text.rpartition(" :: ")[2] for text in named
    )
