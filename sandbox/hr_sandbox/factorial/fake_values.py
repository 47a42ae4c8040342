"""Generates values for fields that the company has no data for. They are plausible, stable, and include edge cases."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from hr_sandbox.data_files import read_data
from hr_sandbox.factorial.tables import load_resources, to_api_id
from hr_sandbox.stable_random import stable_chance, stable_choice, stable_number

if TYPE_CHECKING:
    from collections.abc import Callable

    from hr_sandbox.company import Company
    from hr_sandbox.factorial.tables import Field, Resource

ACCESS = 40_000  # added to a person's id for the id of their access
WORKER = 100_000  # a project worker's id is the project's id times this plus the person's
MIN_SIZE, SIZE_RANGE = 3, 24
_RESOURCES = read_data(__package__, "resources.toml")
SIZES: dict[str, int] = _RESOURCES["sizes"]
# What references point to if the vendor does not say.
REFERENCES: dict[str, str] = _RESOURCES["references"]


def find_company_id(company: Company) -> int:
    """Returns the company's id at the vendor. Companies of different seeds are different ones."""
    return 1000 + company.seed


def choose_size(resource: str) -> int:
    """Returns how many rows a generated resource has."""
    return SIZES.get(resource, MIN_SIZE + stable_number("size", resource) % SIZE_RANGE)


def choose_first_id(resource: str) -> int:
    """Returns the id of the first row of a generated resource."""
    return 1000 + stable_number("first", resource) % 90_000


def list_keys(resource: str) -> list[int] | list[str]:
    """Returns the ids of a generated resource: integers, or texts if the vendor's are texts."""
    row, first, size = load_resources().get(resource), choose_first_id(resource), choose_size(resource)
    if row is not None and row.key is not None and row.fields[row.key].type != "id":
        return sorted(
            f"{stable_number(resource, index):08x}-{index:04x}-4{size:03x}-8000-{first:012x}" for index in range(size)
        )
    return list(range(first, first + size))


class Pools:
    """The existing ids by resource."""

    def __init__(self, company: Company) -> None:
        people = [row.id for row in company.people]
        parts = [row for row in company.projects if row.parent_id]
        self._pools: dict[str, list[int] | list[str]] = {
            "access": [number + ACCESS for number in people],
            "conversations": list(range(500, 560)),
            "api_public/credentials": [find_company_id(company)],
            "ats/applications": [row.id for row in company.applications],
            "ats/candidates": [row.id for row in company.candidates],
            "ats/job_postings": [row.id for row in company.openings],
            "companies/legal_entities": [row.id for row in company.legal_entities],
            "contracts/contract_versions": [row.id for row in company.employments],
            "contracts/contracts": [row.id for row in company.employments],
            "documents/documents": [row.id for row in company.documents],
            "documents/folders": [row.id for row in company.document_categories],
            "employees/employees": people,
            "finance/cost_centers": [row.id for row in company.cost_centers],
            "job_catalog/levels": [row.id for row in company.jobs],
            "locations/locations": [row.id for row in company.offices],
            "project_management/projects": [row.id for row in company.projects if not row.parent_id],
            "project_management/project_workers": [
                row.id * WORKER + person_id for row in company.projects for person_id in row.member_ids
            ],
            "project_management/subprojects": [row.id for row in parts],
            "teams/teams": [row.id for row in company.teams],
            "timeoff/leave_types": [row.id for row in company.absence_types],
            "timeoff/leaves": [row.id for row in company.absences],
            "attendance/shifts": [row.id for row in company.attendances],
        }

    def find_ids_for(self, field: Field) -> list[int] | list[str]:
        """Returns the ids that a field may contain."""
        return self.find_ids(field.refers or REFERENCES.get(field.name))

    def find_ids(self, resource: str | None) -> list[int] | list[str]:
        """Returns the ids of a resource, or arbitrary numbers if it is unknown."""
        if resource is None:
            return list(range(1, 60))
        if resource not in self._pools:
            self._pools[resource] = list_keys(resource)
        return self._pools[resource]


Row = dict[str, Any]

NULL_PERCENT, RARE_NULL_PERCENT, UNDOCUMENTED_PERCENT = 18, 3, 2  # percent
DAYS_BACK = 900
_TEXTS = read_data(__package__, "fake_values.toml")
NAMES: tuple[str, ...] = _TEXTS["names"]
# By a part of the field's name. The first match is used.
CHOICES_BY_NAME: dict[str, tuple[str, ...]] = {
    **_TEXTS["choices"],
    **dict.fromkeys(_TEXTS["fields_with_sentences"], _TEXTS["sentences"]),
    **dict.fromkeys(_TEXTS["fields_with_names"], NAMES),
}
FORMATS_BY_NAME: tuple[tuple[str, Callable[[int], str]], ...] = (
    ("email", lambda number: f"mail{number % 9999}@nordlicht.example"),
    ("url", lambda number: f"https://files.example/{number:x}?name=a%20b"),
    ("link", lambda number: f"https://meet.example/{number:x}"),
    ("avatar", lambda number: f"https://files.example/{number:x}.png"),
    ("phone", lambda number: f"{600_000_000 + number % 99_999_999}"),
    ("number", lambda number: f"{number:010}"),
    ("postal_code", lambda number: f"{number % 100_000:05}"),
    ("tin", lambda number: f"DE{number % 1_000_000_000:09}"),
    ("iban", lambda number: f"DE{number % 97:02}50010517{number:010}"),
    ("bic", lambda _: "INGDDEFFXXX"),
    ("uuid", lambda number: f"{number:08x}-0000-4000-8000-{number:012x}"),
    ("code", lambda number: f"C-{number % 10_000:04}"),
    ("rate", lambda number: f"{number % 400 / 100}"),
    ("latitude", lambda number: f"{47 + number % 7000 / 1000}"),
    ("longitude", lambda number: f"{8 + number % 6000 / 1000}"),
    ("cost", lambda number: f"{number % 90_000 / 100}"),
    ("amount", lambda number: f"{number % 90_000 / 100}"),
    ("birth", lambda number: f"{1960 + number % 40}-0{number % 9 + 1}-1{number % 10}"),
)

UNDOCUMENTED_VALUES = ("", "legacy_value")  # values of enumerated fields that are not documented
EMPTY: dict[str, Callable[[], Any]] = {"objects": list, "object": dict}


class FakeValues:
    """Fills the rows of one resource. No timestamp is later than `latest`."""

    def __init__(self, resource: Resource, pools: Pools, seed: int, latest: datetime) -> None:
        self._resource = resource
        self._pools = pools
        self._words = f"{seed}/{resource.name}"
        self._latest = latest

    def fill_row(self, known: Row, key: object = None) -> Row:
        """Returns the row with all fields. Known values are kept."""
        key = known[self._resource.key or ""] if key is None else key
        words = f"{self._words}/{key}"
        created = self._draw_creation(known, words)
        row = {
            name: known[name] if name in known else self._make_value(field, words, created)
            for name, field in self._resource.fields.items()
        }
        row.update((name, value) for name, value in known.items() if name.startswith("_"))
        return row

    def _draw_creation(self, known: Row, words: str) -> datetime:
        given = known.get("created_at")
        if isinstance(given, datetime):
            return given
        return self._latest - timedelta(seconds=stable_number(words, "created") % (DAYS_BACK * 86_400))

    def _make_value(self, field: Field, words: str, created: datetime) -> Any:  # noqa: ANN401  any JSON
        words = f"{words}/{field.name}"
        steady = field.name in {"created_at", "updated_at", "id"} or (field.always and field.type == "id")
        if not steady and stable_chance(RARE_NULL_PERCENT if field.always else NULL_PERCENT, words, "null"):
            return None
        if field.unreliable:
            return _make_wrong_type(field, stable_number(words))
        if field.form:
            return self._draw_time(field, words, created)
        if field.shape is not None and field.type in {"object", "objects"}:
            return self._make_nested_value(field.shape, field.name, words)
        return self._make_plain_value(field, words)

    def _make_plain_value(self, field: Field, words: str) -> Any:  # noqa: ANN401  any JSON
        kind = field.type
        refers = kind == "text" and field.name.endswith("_id") and (field.refers or field.name in REFERENCES)
        if kind in {"id", "ids"} or refers:
            return self._draw_reference(field, words)
        if kind == "text" and field.choices:
            return (
                stable_choice(UNDOCUMENTED_VALUES, words)
                if stable_chance(UNDOCUMENTED_PERCENT, words, "strange")
                else stable_choice(field.choices, words)
            )
        if kind == "texts":
            return [stable_choice(NAMES, words, index) for index in range(stable_number(words) % 3)]
        return EMPTY[kind]() if kind in EMPTY else self._make_scalar(kind, field.name, words)

    def _draw_reference(self, field: Field, words: str) -> Any:  # noqa: ANN401  an id, or a list of ids
        pool = self._pools.find_ids_for(field)
        if field.type != "ids":
            return stable_choice(pool, words) if pool else None
        return sorted({stable_choice(pool, words, index) for index in range(stable_number(words) % 4)}) if pool else []

    def _make_scalar(self, kind: str, name: str, words: str) -> Any:  # noqa: ANN401  a text, number or boolean
        if "|" in kind:
            return stable_choice(kind.split("|"), words)
        number = stable_number(words)
        if kind in NUMBERS:
            return NUMBERS[kind](number, name)
        for part, texts in CHOICES_BY_NAME.items():
            if part in name:
                return stable_choice(texts, words)
        for part, form in FORMATS_BY_NAME:
            if part in name:
                return form(number)
        if name.endswith(("_at", "_on", "date")):
            return (self._latest.date() - timedelta(number % DAYS_BACK)).isoformat()
        return f"{name} {number % 1000}"

    def _draw_time(self, field: Field, words: str, created: datetime) -> Any:  # noqa: ANN401  depends on the format
        number, name = stable_number(words), field.name
        span = int((self._latest - created).total_seconds())
        timestamp = created
        if name != "created_at":
            # Most rows are updated soon after they were created, some much later.
            timestamp += timedelta(seconds=number % (span + 1) if number % 3 else number % 86_400)
            timestamp = min(timestamp, self._latest)
        if "start" in name:
            timestamp = min(created + timedelta(minutes=number % 600), self._latest)
        elif "end" in name or "finish" in name or "due" in name or "expir" in name:
            timestamp = created + timedelta(30 + number % 400)
        if field.form == "timestamp":
            return timestamp
        if field.form == "epoch":
            return int(timestamp.timestamp())
        if field.form == "clock":
            return time(7 + number % 12, number % 4 * 15)
        return timestamp.date()

    def _make_nested_value(self, shape: Any, name: str, words: str) -> Any:  # noqa: ANN401  any JSON
        if isinstance(shape, dict):
            return {inner: self._make_nested_value(part, inner, f"{words}/{inner}") for inner, part in shape.items()}
        if isinstance(shape, list):
            return [
                self._make_nested_value(shape[0], name, f"{words}/{index}")
                for index in range(stable_number(words, "many") % 3 + 1)
            ]
        if name == "id" or name.endswith("_id"):
            return str(to_api_id(stable_number(words) % 5000))
        return self._make_scalar(shape, name, words)


def _make_integer(number: int, name: str) -> int:
    """Returns an integer that fits the field's name."""
    if "cents" in name or "amount" in name:
        return number % 900_000
    for end, low, high in (("year", 2020, 2027), ("_month", 1, 12), ("_day", 1, 28)):
        if name.endswith(end):
            return low + number % (high - low + 1)
    return number % 60 + 1


def _make_wrong_type(field: Field, number: int) -> Any:  # noqa: ANN401  any type but the documented one
    """Returns a value that contradicts the vendor's own description: lists, numbers, decimals as texts."""
    if field.choices:
        return list(field.choices[: number % (len(field.choices) + 1)])
    return number % 32 / 4 if "duration" in field.name else f"{number % 90_000 / 100}"


def to_date(value: object) -> date | None:
    """Returns the date of a date or timestamp."""
    if isinstance(value, datetime):
        return value.date()
    return value if isinstance(value, date) else None


NUMBERS: dict[str, Callable[[int, str], Any]] = {
    "boolean": lambda number, _: number % 3 != 0,
    "integer": _make_integer,
    "integers": lambda number, _: [1, 2, 3, 4, 5][: number % 5 + 1],
    "number": lambda number, _: number % 4000 / 40,
}
