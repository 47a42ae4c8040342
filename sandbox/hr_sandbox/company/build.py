"""Generates the company from a seed. The same seed, date and size give the same records."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from hr_sandbox.company import seed_data
from hr_sandbox.company.absences import Absences, extend_over_days
from hr_sandbox.company.custom_reports import CustomReports
from hr_sandbox.company.documents import Documents, Reports, Webhooks
from hr_sandbox.company.generator import SeededRandom
from hr_sandbox.company.model.company import Company
from hr_sandbox.company.model.people import AttributeDefinition, Department, LegalEntity, Team
from hr_sandbox.company.pay import Pay
from hr_sandbox.company.people import Careers, People
from hr_sandbox.company.recruiting import Recruiting
from hr_sandbox.company.working_time import Attendances, ProjectGenerator

if TYPE_CHECKING:
    from datetime import date

PEOPLE_PER_EXTRA_TEAM = 40


def build_company(employees: int, seed: int, today: date) -> Company:
    """Generates the company.

    Args:
        employees: the number of people, including former ones.
        seed: the seed of all random choices.
        today: the date that the company's dates are relative to.

    Returns:
        A company whose timestamps are all before today.
    """
    company = Company(seed_data.NAME, seed_data.DOMAIN, seed, today)
    rng = SeededRandom(f"{seed}/{today}/{employees}", today)
    _add_structure(company, rng, employees)
    people, careers = People(company, rng), Careers(company, rng)
    pay, absences = Pay(company, rng), Absences(company, rng)
    for hired_on in people.draw_hiring_days(employees):
        person, office = people.generate_person(hired_on)
        employments = careers.generate_employments(person, office, hired_on)
        pay.generate(employments)
        absences.generate(employments)
    people.simulate_bulk_imports()
    # Each part has its own generator, so that changing one part leaves the others unchanged.
    _add_salary_bands(company, _make_random(company, "bands"))
    extend_over_days(company, _make_random(company, "hours"))
    ProjectGenerator(company, _make_random(company, "projects")).generate()
    Attendances(company, _make_random(company, "attendances")).generate()
    Recruiting(company, _make_random(company, "recruiting")).generate()
    Documents(company, _make_random(company, "documents")).generate()
    Reports(company, _make_random(company, "reports")).generate()
    CustomReports(company, _make_random(company, "custom reports")).generate()
    Webhooks(company, _make_random(company, "webhooks")).generate()
    return company


def _make_random(company: Company, part: str) -> SeededRandom:
    return SeededRandom(f"{part}/{company.seed}/{company.today}/{len(company.people)}", company.today)


def _add_structure(company: Company, rng: SeededRandom, employees: int) -> None:
    _add_places(company)
    for name in seed_data.COST_CENTERS:
        company.cost_centers.create(rng.uuid(), name, step=3)
    for family, (_, _, _, jobs) in seed_data.FAMILIES.items():
        for name, pay in jobs:
            grade = None if family == "production" else 4 + pay // 10_000
            company.jobs.create(rng.uuid(), name, family, pay, grade)
    _add_departments(company)
    _add_teams(company, employees)
    for name, category, unit, _ in seed_data.ABSENCE_TYPES:
        company.absence_types.create(rng.uuid(), name, category, unit)
    for name, category in seed_data.COMPENSATION_TYPES:
        company.compensation_types.create(rng.uuid(), name, category)
    company.attributes = [AttributeDefinition(*row) for row in seed_data.ATTRIBUTES]


def _add_salary_bands(company: Company, rng: SeededRandom) -> None:
    for job in company.jobs:
        if job.grade is None:
            continue
        for currency in sorted({row.currency for row in company.legal_entities}):
            middle = job.pay * seed_data.RATES[currency]
            company.salary_bands.create(
                uuid=rng.uuid(),
                name=f"{job.name} {currency}",
                job_id=job.id,
                currency=currency,
                minimum=round(middle * 0.8, -2),
                maximum=round(middle * 1.35, -2),
            )


def _add_places(company: Company) -> None:
    entities: dict[str, LegalEntity] = {}
    for plan in seed_data.OFFICES:
        if plan.entity not in entities:
            founded = company.today - timedelta(365 * seed_data.YEARS + 900 - 150 * len(entities))
            entities[plan.entity] = company.legal_entities.create(
                name=f"{company.name} {plan.entity}",
                country=plan.country,
                currency=plan.currency,
                created_at=datetime.combine(founded, time(9), UTC),
            )
        company.offices.create(
            name=f"{company.name.split()[0]} {plan.city}",
            city=plan.city,
            country=plan.country,
            timezone=plan.timezone,
            legal_entity_id=entities[plan.entity].id,
            locales=plan.locales,
        )


def _add_departments(company: Company) -> None:
    def add(name: str, abbreviation: str | None, parent_id: int | None, family: str) -> Department:
        about = f"{name} @ {company.name}" if abbreviation else None
        return company.departments.create(name, about, abbreviation, parent_id, family)

    root = add(company.name, "NLI", None, "management")
    of_family = {
        family: add(name, abbreviation, root.id, family)
        for family, (name, abbreviation, _, _) in seed_data.FAMILIES.items()
    }
    for name, abbreviation, family in seed_data.SUB_DEPARTMENTS:
        add(name, abbreviation, of_family[family].id, family)


def _add_teams(company: Company, employees: int) -> None:
    def add(name: str, parent_id: int | None, department: Department) -> Team:
        about = None if parent_id else f"Team {name}"
        short = name[:3].upper() if name.isascii() else None
        return company.teams.create(name, about, short, parent_id, department.id)

    first = {
        name: add(name, None, department)
        for department in company.departments
        if department.family in seed_data.FAMILIES and department.parent_id == company.departments[401].id
        for name in seed_data.FAMILIES[department.family][2]
    }
    parents = list(first.values())
    for index in range(3 + employees // PEOPLE_PER_EXTRA_TEAM):
        parent = parents[index % len(parents)]
        name = f"{parent.name} {index // len(parents) + 1}"
        add(name, parent.id, company.departments[parent.department_id])
