"""The protection class of each path of a tap: from its file `protection.tsv`, from patterns, and from the user."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cache, cached_property
from importlib import import_module
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from singer_rest.privacy.classes import CLASSES, PERSON_SPACES, UNCLASSIFIED
from singer_rest.privacy.path_patterns import PathPatterns

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FILE = "protection.tsv"
_ROW_OF = "row of "
ANY_KEY = "*"
"""The last name of a path whose keys are dates or the like, and not names that a company chose."""


EACH_STREAM = "*"
"""In the name of a stream: the path is a regular expression for the names of columns that the tap does not know."""
_ROWS = re.compile(r"(?P<path>[^\[.]*)\[(?P<column>\w+)=(?P<value>.+)\]")


@dataclass(frozen=True)
class Protection:
    """The protection of the values at a path within a record.

    Args:
        name: The protection class.
        space: The kind of id, if the values are ids of people. Empty: they are not.
        condition: The column and the value that say so, if the ids may be of something else. None: they are always.
        is_mention: Whether the row only mentions the person, as its author or approver. Otherwise it is about them.
        parent: The stream whose rows the values are ids of, if a row is about the same person as that row.
        is_contact_email: Whether the values are private e-mail addresses of the person that the row is about.
    """

    name: str
    space: str = ""
    condition: tuple[str, str] | None = None
    is_mention: bool = False
    parent: str = ""
    is_contact_email: bool = False

    @cached_property
    def keywords(self) -> dict[str, object]:
        """The keywords of the JSON Schema: `x-protection` and `x-refers-to`."""
        found: dict[str, object] = {"x-protection": self.name}
        if self.parent:
            found["x-refers-to"] = {"form": "row", "stream": self.parent}
        elif self.is_contact_email:
            found["x-refers-to"] = {"form": "email"}
        elif self.space or self.name.startswith("direct_id."):
            refers: dict[str, object] = {"space": self.space or None, "form": self.name.rpartition(".")[2]}
            refers["when"] = dict([self.condition]) if self.condition else None
            refers["role"] = "mention" if self.is_mention else None
            found["x-refers-to"] = {name: value for name, value in refers.items() if value}
        return found


@dataclass(frozen=True)
class RowRule:
    """The class of some rows, or of some objects in a list, whatever the classes of their fields are.

    Args:
        path: The path of the list. Empty: the rule is about rows.
        column: The field that says which they are.
        value: A regular expression for its values.
        name: The protection class.
    """

    path: str
    column: str
    value: str
    name: str

    @cached_property
    def _value(self) -> re.Pattern[str]:
        return re.compile(self.value, re.IGNORECASE)

    def applies_to(self, value: object) -> bool:
        """Whether a row or object with this value is of the class. One without a value may be."""
        return value is None or self._value.fullmatch(re.sub(r"\.0+$", "", str(value))) is not None

    @property
    def keywords(self) -> dict[str, object]:
        """The rule as a keyword of the JSON Schema says it."""
        path = {"path": self.path} if self.path else {}
        return {**path, "when": {self.column: self.value}, "x-protection": self.name}


def parse_row_rule(path: str, name: str) -> RowRule | None:
    """Parses the path of a rule, such as `[type_id=8]` or `units[type=Grade]`. None: it is the path of a field."""
    found = _ROWS.fullmatch(path)
    return RowRule(found["path"], found["column"], found["value"], name) if found else None


Pattern = tuple[Protection, "re.Pattern[str]"]

NOT_CLASSIFIED = Protection(UNCLASSIFIED)
TECHNICAL = Protection("technical")
DELETED_AT = "_sdc_deleted_at"
"""The column of deletion marks, which a stream has only if it may send some."""

_NAMES = (
    ("secret", r"passw(or)?d|token|secret|api_?key|key_code"),
    ("special.origin", r"ethnic|(^|_)race($|_)|eeo_|veteran"),
    ("special.health", r"disab|health|krank|sick|medical|pregnan"),
    ("special.belief", r"religi|denominat|konfession|church|kirche|belief|union_member"),
    ("special.absence", r"leave_reason|absence_(type|reason)"),
    ("national_id", r"(^|_)(ssn|nino|national_?id|passport|tax_?(id|number)|vat_number|social_?security)|steuer_?id"),
    ("bank", r"(^|_)(bank|iban|bic|swift|credit_?card|card_number)"),
    (
        "pay",
        r"salar|compensation|range_?(low|high)|bonus|(^|_)wages?(_|$)|pay_?(rate|grade|roll)|(^|_)(merit|grade(?!r))",
    ),
    ("pay", r"gehalt(?!en)|lohn"),
    (
        "evaluation",
        r"(^|_)ratings?(_|$)|potential|readiness|eligible_for_rehire|num_attempts|attempt_number|(^|_)(score|pass)$",
    ),
    ("file", r"thumb|attachment|resume|(^|_)cv($|_)|photo|picture|signature|download|url$"),
    ("free_text", r"comment|(^|_)notes?$|feedback|_reason$|instruction$|response|answer(?!_id)|descr(iption)?$"),
    ("demographic.gender", r"gender|(^|_)sex$|geschlecht"),
    ("demographic.birth", r"birth|(^|_)(dob|age)$|geburt"),
    ("demographic.family", r"marital|(^|_)(children|spouse|partner)($|_)"),
    ("demographic.nationality", r"nationality|citizenship"),
    ("contact", r"personal_?e?mail|private_?e?mail|phone|(^|_)(fax|mobile|emergency)|(^|_)(address\w*|mailstop)$"),
    ("contact.postcode", r"(^|_)(zip(_?code)?|postal_?code|postcode)$"),
    (
        "direct_id.name",
        r"(first|last|middle|full|user|owner)_?names?$|name_(first|last|middle|prefix|suffix)|_fullname",
    ),
    ("direct_id.email", r"(^|_)(?<!personal_)(?<!private_)(primary_?)?e?mail$"),
    ("direct_id.number", r"(payroll|personnel|personal|employee|staff)_?(number|nummer|no|nr|id)$"),
    ("conduct.login", r"last_?(login|access|action)|session_time|logout"),
    ("conduct", r"minutes_participated|pct_complete"),
)
PATTERNS = tuple(
    # A row with an unknown column may be about somebody else.
    (
        Protection(name, "number" if name == "direct_id.number" else "", is_mention=name.startswith("direct_id")),
        re.compile(pattern, re.IGNORECASE),
    )
    for name, pattern in _NAMES
)
"""Names of columns that reveal a class, for columns that a company or its portal defines. They only raise a class."""


_WITH_TEXT = ("special", "pay", "evaluation")
"""Classes with a subclass for text."""


def pattern_class(name: str, patterns: Iterable[Pattern] = PATTERNS) -> Protection:
    """Returns the most harmful class that the name of an unknown column matches. No match: it is not classified.

    Some profiles keep pay and assessments, but not who a person is or what somebody typed: `salary_approver_id` is an
    id, and `salary_comment` is text about pay.
    """
    snake_case = _snake_case(name)
    matches = [found for found, pattern in patterns if pattern.search(snake_case)]
    first = matches[0] if matches else NOT_CLASSIFIED
    top = first.name.partition(".")[0]
    if top not in _WITH_TEXT:
        return first
    if person := next((found for found in matches if found.name.startswith("direct_id")), None):
        return person
    return Protection(f"{top}.text") if any(found.name == "free_text" for found in matches) else first


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[\s.\-]+", "_", name).lower()


class Classification:
    """The classes of a tap's paths.

    A path joins the names of nested fields by dots. `[]` follows the name of a list, such as `shifts[].start_at`.

    Args:
        shipped: The classes that the tap ships, by stream and path.
        own: The user's classes, by `stream.path`, which may hold `*` and be that of an object or list, or of rows, by
            `stream[column=value]`.
    """

    def __init__(self, shipped: Mapping[str, Mapping[str, Protection]], own: Mapping[str, str] | None = None) -> None:
        self._shipped = shipped
        self._patterns: dict[str, list[Pattern]] = {}
        self._own_rules: list[tuple[str, RowRule]] = []
        own_paths: dict[str, Protection] = {}
        for key, name in (own or {}).items():
            stream, separator, path = re.split(r"([.\[])", key, maxsplit=1)
            if rule := parse_row_rule(path if separator == "." else f"[{path}", name):
                self._own_rules.append((stream, rule))
            else:
                own_paths[key] = Protection(name, is_mention=True)
        self.own = PathPatterns(own_paths)

    def of(self, stream: str, path: str) -> Protection:
        """Returns the class of a path: the user's, the tap's, or that of a pattern."""
        own = self.own.find(stream, path)
        shipped = self.shipped(stream, path) or (TECHNICAL if path == DELETED_AT else None)
        if own is None:
            return shipped or pattern_class(path.rpartition(".")[2].removesuffix("[]"), self._patterns_of(stream))
        return replace(shipped, name=own.name) if shipped else own

    def of_key(self, stream: str, path: str) -> Protection:
        """Returns the class of a key or bookmark. An unknown one is technical, unless it is a person's id, or pay."""
        found = self.of(stream, path)
        is_known = self.shipped(stream, path) or self.own.find(stream, path)
        return found if is_known or found.name.startswith(("direct_id", "pay")) else TECHNICAL

    def row_rules(self, stream: str) -> list[RowRule]:
        """Returns the classes of some of a stream's rows, or of objects in its lists."""
        shipped = (parse_row_rule(path, found.name) for path, found in self._shipped.get(stream, {}).items())
        own = [rule for pattern, rule in self._own_rules if fnmatchcase(stream, pattern)]
        return [*filter(None, shipped), *own]

    def _patterns_of(self, stream: str) -> list[Pattern]:
        """Returns the patterns for the columns of a stream, the most harmful class first."""
        if stream not in self._patterns:
            shipped = [
                (protection, re.compile(pattern, re.IGNORECASE))
                for glob, patterns in self._shipped.items()
                if EACH_STREAM in glob and fnmatchcase(stream, glob)
                for pattern, protection in patterns.items()
            ]
            order = list(CLASSES)
            self._patterns[stream] = sorted((*shipped, *PATTERNS), key=lambda found: order.index(found[0].name))
        return self._patterns[stream]

    def shipped(self, stream: str, path: str) -> Protection | None:
        """Returns the class that the tap ships. None: the tap does not know the path."""
        paths = self._shipped.get(stream, {})
        return paths.get(path) or paths.get(f"{path.rpartition('.')[0]}.{ANY_KEY}")

    def annotated(self, stream: str, schema: Mapping[str, Any], path: str = "") -> dict[str, Any]:
        """Returns a schema whose fields say their class and, if they identify people, what they refer to."""
        found = dict(schema)
        if properties := schema.get("properties"):
            prefix = f"{path}." if path else ""
            found["properties"] = {
                name: self.annotated(stream, part, f"{prefix}{name}") for name, part in properties.items()
            }
            if not path and (rules := self.row_rules(stream)):
                found["x-protection-rows"] = [rule.keywords for rule in rules]
            return found
        items = schema.get("items")
        if isinstance(items, dict) and (items.get("properties") or items.get("items")):
            found["items"] = self.annotated(stream, items, f"{path}[]")
            return found
        found |= self.of(stream, path).keywords
        if below := self._keywords_below(stream, path):
            found["x-paths"] = below
        return found

    def _keywords_below(self, stream: str, path: str) -> dict[str, object]:
        """Returns the keywords of the fields of people in an object whose schema lists no fields, by their path in it.

        Args:
            stream: The stream's name.
            path: The object's path.
        """
        found = ((name[len(path) :], shipped.keywords) for name, shipped in self._below(stream).get(path, ()))
        return {name.removeprefix("."): keywords for name, keywords in found if "x-refers-to" in keywords}

    @cache  # noqa: B019 - lives as long as the tap
    def _below(self, stream: str) -> dict[str, list[tuple[str, Protection]]]:
        """Returns the shipped paths of a stream by each path above them."""
        found: dict[str, list[tuple[str, Protection]]] = {}
        for name, shipped in self._shipped.get(stream, {}).items():
            for match in re.finditer(r"\[\]|\.", name):
                found.setdefault(name[: match.start()], []).append((name, shipped))
        return found

    @property
    def spaces(self) -> list[str]:
        """The kinds of ids of people that the tap's columns have."""
        return sorted({found.space for paths in self._shipped.values() for found in paths.values()} - {""})

    def names_below(self, stream: str, path: str) -> list[str]:
        """Returns the names of the fields directly below a path of which the tap ships classes."""
        prefix = f"{path}."
        paths = self._shipped.get(stream, {})
        return list(dict.fromkeys(_first_name(name[len(prefix) :]) for name in paths if name.startswith(prefix)))


def _first_name(path: str) -> str:
    return path.partition(".")[0].removesuffix("[]")


@cache
def shipped_classes(package: str) -> Mapping[str, Mapping[str, Protection]]:
    """Reads the classes that a tap's package ships.

    Args:
        package: The package, which holds `protection.tsv`: stream, path and class; the kind of id if it is a person's,
            such as `employee` or `employee if valuable_type=Employee`, `email` for a private address, or
            `row of STREAM` for the id of a row about the same person, after the kind of id if it is one of people, too;
            and `mention` if the row is about something else.
            The path `[type_id=8]` stands for the rows of which that is true, and `units[type=Grade]` for such objects
            in a list.

    Returns:
        The classes by stream and path. Empty if the package ships none.

    Raises:
        ValueError: If a line is not valid.
    """
    module = import_module(package)
    file = files(module).joinpath(FILE) if hasattr(module, "__path__") else None
    if file is None or not file.is_file():
        return {}
    found: dict[str, dict[str, Protection]] = {}
    known: dict[tuple[str, ...], Protection] = {}
    for line in file.read_text(encoding="utf-8").splitlines()[1:]:
        stream, path, *rest = line.split("\t")
        key = tuple(rest)
        if key not in known:
            known[key] = _parse_protection(line, *rest)
        found.setdefault(stream, {})[path] = known[key]
    return found


def _parse_protection(line: str, name: str, person: str = "", role: str = "") -> Protection:
    kind, _, condition = person.partition(" if ")
    space, _, parent = kind.partition(_ROW_OF)
    is_email, space = kind == "email", space.strip()
    known = name in CLASSES and (not space or is_email or space in PERSON_SPACES)
    if not known or role not in {"", "mention"}:
        raise ValueError(f"{FILE}: the class, the kind of id or the role is unknown: {line}")
    if is_email:
        return Protection(name, is_contact_email=True)
    column, _, value = condition.partition("=")
    return Protection(name, space, (column, value) if condition else None, role == "mention", parent)
