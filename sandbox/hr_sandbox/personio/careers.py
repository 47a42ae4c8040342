"""The public career site: open positions as an XML feed, in several languages."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

from hr_sandbox.http.messages import Response
from hr_sandbox.personio.modes import (
    CAREERS,
    CONTROL,
    DEEP,
    ENTITIES,
    MISSING,
    MOVED,
    NORMAL,
    PAGE,
    ROBOTS,
    Modes,
)
from hr_sandbox.stable_random import stable_chance, stable_choice

if TYPE_CHECKING:
    from hr_sandbox.company import Company
    from hr_sandbox.http.messages import Json, Request

LANGUAGES = ("de", "en", "fr", "es", "nl", "it", "pt", "sv", "fi", "pl", "cs")
WORKPLACES = ("onsite", "hybrid", "remote")
PAID_PERCENT = 10  # one in this many positions states its salary
DEPTH = 2000
MOVED_TO = "/not-found"
SYMBOLS = {"EUR": "€", "PLN": "zł", "GBP": "£", "JPY": "¥"}
EXPERIENCE = {"entry-level": "lt-1", "experienced": "2-5", "executive": "10-15", "student": "lt-1"}


def list_positions(company: Company) -> list[Json]:
    """Returns the published positions, ordered by id, as the members of their XML elements."""
    shown = []
    for row in company.openings:
        if not row.published:
            continue
        office, department = company.offices[row.office_id], company.departments[row.department_id]
        job = company.jobs[row.job_id]
        tasks = f"<p>{escape(job.name)} @ <strong>{escape(office.city)}</strong></p>"
        shown.append(
            {
                "id": row.id,
                "subcompany": company.legal_entities[office.legal_entity_id].name,
                "office": office.name,
                "department": department.name,
                "recruitingCategory": company.categories[row.category_id].name,
                "name": row.name,
                "jobDescriptions": [
                    {"name": "Aufgaben", "value": tasks},
                    {"name": "Profil", "value": "<ul><li>Neugier &amp; Sorgfalt</li></ul>"},
                ],
                "employmentType": "permanent",
                "seniority": row.seniority,
                "schedule": row.schedule,
                "yearsOfExperience": EXPERIENCE[row.seniority],
                "keywords": f"{job.family},{office.city},büro",
                "occupation": job.family,
                "occupationCategory": job.family,
                "createdAt": row.created_at.astimezone(ZoneInfo(office.timezone)).isoformat(),
                "workplaceType": stable_choice(WORKPLACES, "workplace", row.id),
            }
        )
        if row.id % 4 == 0:
            others = [other.name for other in company.offices if other.id != office.id]
            shown[-1]["additionalOffices"] = others[: 1 + row.id // 4 % 2]
        if stable_chance(PAID_PERCENT, "paid", row.id):
            currency = company.legal_entities[office.legal_entity_id].currency
            shown[-1]["salaryInformation"] = {
                "min": str(job.pay),
                "max": f"{job.pay * 1.25:.2f}",
                "currencyCode": currency,
                "currencySymbol": SYMBOLS.get(currency, currency),
                "type": "yearly",
            }
    return shown


def _write_element(name: str, value: object) -> str:
    if isinstance(value, list):
        return f"<{name}>{''.join(_write_item(row) for row in value)}</{name}>"
    if isinstance(value, dict):
        return f"<{name}>{''.join(_write_element(*part) for part in value.items())}</{name}>"
    return f"<{name}>{escape(str(value))}</{name}>"


def _write_item(row: Json | str) -> str:
    if isinstance(row, str):
        return _write_element("office", row)
    return (
        f"<jobDescription><name>{escape(row['name'])}</name><value><![CDATA[{row['value']}]]></value></jobDescription>"
    )


# Inserted before the first position's name in modes with malformed XML.
MALFORMED = {
    CONTROL: "\x0b\x1f&#8;",
    ENTITIES: "&nbsp;&ouml; R&D ",
    DEEP: f"</name><levels>{'<level>' * DEPTH}{'</level>' * DEPTH}</levels><name>",
}


class CareerSite:
    """The career site."""

    name = "personio-careers"

    def __init__(self, company: Company, modes: Modes) -> None:
        self.company = company
        self._modes = modes

    def handle(self, request: Request) -> Response:
        """Handles a request. No authentication is needed."""
        query = dict(request.query)
        if request.path != CAREERS or request.method != "GET":
            return self.make_error_response(404, request)
        if query.get("language") not in LANGUAGES or len(request.query) > 1:
            return self.make_error_response(400, request)
        mode = self._modes.find_mode(CAREERS, query["language"])
        if mode in {MISSING, ROBOTS, PAGE, MOVED}:
            return self._replace_page(mode, request)
        body = "".join(
            f"<position>{''.join(_write_element(name, value) for name, value in row.items())}</position>"
            for row in list_positions(self.company)
        )
        if mode != NORMAL:
            body = body.replace("<name>", f"<name>{MALFORMED[mode]}", 1)
        text = f'<?xml version="1.0" encoding="UTF-8"?>\n<workzag-jobs>{body}</workzag-jobs>\n'
        return Response(200, text.encode(), {"content-type": "application/xml; charset=utf-8"})

    def _replace_page(self, mode: str, request: Request) -> Response:
        """Returns the HTML page that replaces the feed."""
        if mode == MOVED:
            return Response(307, b"", {"location": f"{request.root}{MOVED_TO}"})
        response = self.make_error_response({MISSING: 404, ROBOTS: 403}.get(mode, 200), request)
        response.body += b"<script>document.title = 'Are you a human?'</script>"
        return response

    def make_error_response(self, status: int, request: Request) -> Response:
        """Returns an HTML error page."""
        text = f"<!doctype html><title>{status}</title><p>{escape(request.path)}</p>"
        return Response(status, text.encode(), {"content-type": "text/html; charset=utf-8"})

    def find_template(self, path: str) -> str | None:
        """Returns the path of the feed, or None for other paths."""
        return path if path == CAREERS else None
