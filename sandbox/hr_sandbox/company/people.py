"""Generates persons: names, addresses and custom attributes."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from hr_sandbox.company import seed_data
from hr_sandbox.company.dates import workday
from hr_sandbox.company.generator import Generator
from hr_sandbox.company.model import AttributeValue, Company, Office, Person
from hr_sandbox.company.seeded_random import ascii_name

if TYPE_CHECKING:
    from datetime import date

    from hr_sandbox.company.seeded_random import SeededRandom

GENDERS = ("FEMALE", "MALE", "DIVERSE", "UNSPECIFIED")
LANGUAGES = ("Deutsch", "English", "français", "polski", "日本語", "Türkçe")
SHIRTS = ("S", "M", "L", "XL; überlang")
BULK_IMPORTS = 6
ONBOARDING_SHARE = 0.02


class People(Generator):
    """Generates the persons of a company."""

    def __init__(self, company: Company, rng: SeededRandom) -> None:
        super().__init__(company, rng)
        self._offices = list(company.offices)
        shares = {plan.city: plan.share for plan in seed_data.OFFICES}
        self._shares = [shares.get(row.city, 1) for row in self._offices]

    def hiring_days(self, count: int) -> list[date]:
        """Return the first working days, oldest first: more in later years, a few in the future."""
        today = self.company.today
        first = today - timedelta(365 * seed_data.YEARS)
        span = (today - first).days
        planned = int(count * ONBOARDING_SHARE)
        days = [first + timedelta(int(span * self.rng.random.random() ** 0.75)) for _ in range(count - planned)]
        days += [today + timedelta(self.rng.integer(3, 80)) for _ in range(planned)]
        return [workday(day) for day in sorted(days)]

    def hire(self, first_day: date) -> tuple[Person, Office]:
        """Generate a person who starts on this day. Returns the person and the office."""
        rng = self.rng
        office = rng.weighted_choice(self._offices, self._shares)
        gender = rng.weighted_choice(GENDERS, (47, 47, 3, 3))
        names = rng.names(rng.choice(office.locales))
        male = gender == "MALE"
        first_name = names.first_name_male() if male else names.first_name_female()
        last_name = names.last_name_male() if male else names.last_name_female()
        created_at = rng.timestamp(min(first_day, self.company.today) - timedelta(rng.integer(1, 45)))
        person = Person(
            id=self.company.people.next_id(rng.integer(1, 4)),
            email="",
            first_name=first_name,
            last_name=last_name,
            preferred_name=f"{first_name} {last_name}" if rng.chance(0.9) else first_name,
            gender=gender,
            has_picture=rng.chance(0.8),
            created_at=created_at,
            updated_at=rng.later(created_at, 0.85),
            attributes=self._attributes(office, first_day),
        )
        person.email = self.email(person)
        return self.company.people.add(person), office

    def email(self, person: Person) -> str:
        """Return a unique address. It contains the number, because names repeat."""
        name = ".".join(filter(None, (ascii_name(person.first_name), ascii_name(person.last_name)))) or "mail"
        return f"{name}.{person.id}@{self.company.domain}"

    def _attributes(self, office: Office, first_day: date) -> dict[str, AttributeValue]:
        rng = self.rng
        values: dict[str, AttributeValue | None] = {
            "city": office.city if rng.chance(0.9) else None,
            "dynamic_12345": f"{rng.integer(1000, 1900)}",
            "dynamic_12399": rng.choice(("A-1", "B-7", "Ü-3")) if rng.chance(0.4) else None,
            "dynamic_20417": rng.integer(0, 3) if rng.chance(0.7) else None,
            "dynamic_20418": rng.integer(0, 900) / 10 if rng.chance(0.6) else None,
            "dynamic_20502": self._iso(first_day, 0, 2000) if rng.chance(0.3) else None,
            "dynamic_20777": rng.chance(0.5) if rng.chance(0.8) else None,
            "dynamic_30001": sorted({rng.choice(LANGUAGES) for _ in range(rng.integer(0, 3))})
            if rng.chance(0.7)
            else None,
            "dynamic_9f3c1a.77": rng.choice(SHIRTS) if rng.chance(0.5) else None,
            "birthday": self._iso(first_day, -23000, -7000) if rng.chance(0.95) else None,
        }
        return {name: value for name, value in values.items() if value is not None}

    def _iso(self, day: date, low: int, high: int) -> str:
        return (day + timedelta(self.rng.integer(low, high))).isoformat()

    def bulk_imports(self) -> None:
        """Simulate imports that updated many persons in the same second, the last of them most recently.

        Such records are where a strict `updated_at.gt` loses rows.
        """
        rng = self.rng
        today = self.company.today
        timestamps = [
            datetime.combine(rng.day(today - timedelta(2000), today - timedelta(30)), time(2, 30), UTC)
            for _ in range(BULK_IMPORTS)
        ]
        for person in self.company.people:
            timestamp = rng.choice(timestamps)
            if person.updated_at < timestamp and rng.chance(0.5):
                person.updated_at = timestamp
        latest = sorted(self.company.people, key=lambda row: (row.updated_at, row.id))[-4:]
        for person in latest:
            person.updated_at = latest[-1].updated_at
