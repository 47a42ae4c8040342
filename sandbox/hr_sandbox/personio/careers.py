"""The public career site: open positions as XML, in the languages of the site."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from hr_sandbox.messages import Answer
from hr_sandbox.vendor import Site

if TYPE_CHECKING:
    from hr_sandbox.company import Company
    from hr_sandbox.messages import Request
    from hr_sandbox.vendor import Json

PATH = "/xml"
LANGUAGES = ("de", "en", "fr", "es", "nl", "it", "pt")
EXPERIENCE = {"entry-level": "lt-1", "experienced": "2-5", "executive": "10-15", "student": "lt-1"}


def positions(company: Company) -> list[Json]:
    """The openings that are published, by number, with the members of their elements."""
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
                "createdAt": row.created_at.strftime("%Y-%m-%dT%H:%M:%S%z"),
            }
        )
    return shown


def _element(name: str, value: object) -> str:
    if isinstance(value, list):
        parts = "".join(
            f"<jobDescription><name>{escape(row['name'])}</name><value><![CDATA[{row['value']}]]></value></jobDescription>"
            for row in value
        )
        return f"<{name}>{parts}</{name}>"
    return f"<{name}>{escape(str(value))}</{name}>"


class Careers(Site):
    """The career site."""

    name = "personio-careers"

    def answer(self, request: Request) -> Answer:
        """Answer a request: nobody has to sign in."""
        query = dict(request.query)
        if request.path != PATH or request.method != "GET":
            return self.error(404, request)
        if query.get("language") not in LANGUAGES or len(request.query) > 1:
            return self.error(400, request)
        body = "".join(
            f"<position>{''.join(_element(name, value) for name, value in row.items())}</position>"
            for row in positions(self.company)
        )
        text = f'<?xml version="1.0" encoding="UTF-8"?>\n<workzag-jobs>{body}</workzag-jobs>\n'
        return Answer(200, text.encode(), {"content-type": "application/xml; charset=utf-8"})

    def error(self, status: int, request: Request) -> Answer:
        """A page, as a site for people has."""
        text = f"<!doctype html><title>{status}</title><p>{escape(request.path)}</p>"
        return Answer(status, text.encode(), {"content-type": "text/html; charset=utf-8"})

    def template(self, path: str) -> str | None:
        """The one path."""
        return path if path == PATH else None
