"""The fixed data of the company, read from `seed_data.json`: offices, departments, jobs, pay and absence types."""

from __future__ import annotations

from typing import NamedTuple

from hr_sandbox.data_files import read_data

YEARS = 12  # of history before today
Pair = tuple[str, str]


class OfficePlan(NamedTuple):
    """An office, its legal entity, and the locales of its employees' names."""

    city: str
    country: str
    timezone: str
    entity: str
    currency: str
    share: int
    locales: tuple[str, ...]


_DATA = read_data(__package__, "seed_data.json")
NAME: str = _DATA["name"]
DOMAIN: str = _DATA["domain"]
OFFICES = tuple(OfficePlan(*row) for row in _DATA["offices"])
# Exchange rates of the pay scale. They are fixed, so that the company stays the same.
RATES: dict[str, float] = _DATA["rates"]
COST_CENTERS: tuple[str, ...] = _DATA["cost_centers"]
# family -> (department, abbreviation, teams, job titles with yearly pay)
FAMILIES: dict[str, tuple[str, str, tuple[str, ...], tuple[tuple[str, int], ...]]] = _DATA["families"]
# Departments within others: name, abbreviation, family of the parent.
SUB_DEPARTMENTS: tuple[tuple[str, str | None, str], ...] = _DATA["sub_departments"]
# Absence types: name, category, unit and share.
ABSENCE_TYPES: tuple[tuple[str, str, str, int], ...] = _DATA["absence_types"]
# Compensation types: name and category.
COMPENSATION_TYPES: tuple[Pair, ...] = _DATA["compensation_types"]
# Custom attributes: id, type, label and global id. As in real accounts, labels are missing, translated and used twice.
ATTRIBUTES: tuple[tuple[str, str, str | None, str | None], ...] = _DATA["attributes"]
# Terminations: type and reason.
TERMINATIONS: tuple[tuple[str, str | None], ...] = _DATA["terminations"]
COMMENTS: tuple[str | None, ...] = _DATA["comments"]
CLIENTS: tuple[str, ...] = _DATA["clients"]
# Projects with their subprojects.
PROJECTS: tuple[tuple[str, tuple[str, ...]], ...] = _DATA["projects"]
# Categories of openings, with the names and kinds of their stages.
RECRUITING: tuple[tuple[str, tuple[Pair, ...]], ...] = _DATA["recruiting"]
CHANNELS: tuple[str, ...] = _DATA["channels"]
# Document categories: name, share and media types.
DOCUMENTS: tuple[tuple[str, int, tuple[str, ...]], ...] = _DATA["documents"]
# Webhooks: name, address, status and events.
WEBHOOKS: tuple[tuple[str, str, str, tuple[str, ...], str], ...] = _DATA["webhooks"]
SUBSCRIPTIONS: tuple[tuple[str | None, str, str, bool, str], ...] = _DATA["subscriptions"]
