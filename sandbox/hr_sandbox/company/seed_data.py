"""The fixed data of the company: offices, departments, jobs, pay and absence types."""

from __future__ import annotations

from typing import NamedTuple

NAME = "Nordlicht Instruments"
DOMAIN = "nordlicht.example"
YEARS = 12  # of history before today


class OfficePlan(NamedTuple):
    """An office, its legal entity, and the locales of its employees' names."""

    city: str
    country: str
    timezone: str
    entity: str
    currency: str
    share: int
    locales: tuple[str, ...]


OFFICES = (
    OfficePlan("München", "DE", "Europe/Berlin", "GmbH", "EUR", 34, ("de_DE", "tr_TR", "el_GR", "de_DE")),
    OfficePlan("Köln", "DE", "Europe/Berlin", "GmbH", "EUR", 20, ("de_DE", "uk_UA", "pl_PL", "de_DE")),
    OfficePlan("Łódź", "PL", "Europe/Warsaw", "Sp. z o.o.", "PLN", 14, ("pl_PL", "uk_UA", "cs_CZ")),
    OfficePlan("Orléans", "FR", "Europe/Paris", "SAS", "EUR", 14, ("fr_FR", "es_ES", "pt_PT")),
    OfficePlan("London", "GB", "Europe/London", "Ltd", "GBP", 12, ("en_GB", "en_GB", "sv_SE")),
    OfficePlan("大阪", "JP", "Asia/Tokyo", "KK", "JPY", 6, ("ja_JP",)),
)

# Exchange rates of the pay scale. They are fixed, so that the company stays the same.
RATES = {"EUR": 1, "PLN": 4.3, "GBP": 0.85, "JPY": 160}

COST_CENTERS = ("Produktion", "Entwicklung", "Vertrieb", "Verwaltung", "Service", "Marketing", "Allgemein")

# family -> (department, abbreviation, teams, job titles with yearly pay)
FAMILIES: dict[str, tuple[str, str, tuple[str, ...], tuple[tuple[str, int], ...]]] = {
    "engineering": (
        "Engineering",
        "ENG",
        ("Optics", "Firmware", "Platform", "Data", "Test Lab"),
        (("Software Engineer", 64000), ("Senior Engineer", 82000), ("Optics Engineer", 68000)),
    ),
    "production": (
        "Produktion",
        "PRD",
        ("Fertigung Süd", "Fertigung Nord", "Qualität", "Lager"),
        (("Feinmechaniker:in", 41000), ("Production Planner", 52000), ("Quality Inspector", 45000)),
    ),
    "sales": (
        "Sales",
        "SAL",
        ("DACH", "Île-de-France", "Polska", "UK & Ireland", "日本"),
        (("Account Executive", 56000), ("Sales Manager", 74000), ("Customer Success Manager", 50000)),
    ),
    "service": (
        "Service & Support",
        "SVC",
        ("Field Service", "Helpdesk"),
        (("Support Specialist", 42000), ("Field Technician", 47000)),
    ),
    "marketing": (
        "Marketing",
        "MKT",
        ("Brand", "Messen & Events"),
        (("Content Manager", 48000), ("Event Manager", 46000)),
    ),
    "people": (
        "People & Culture",
        "HR",
        ("Recruiting", "Payroll"),
        (("HR Business Partner", 58000), ("Recruiter", 47000)),
    ),
    "finance": (
        "Finance",
        "FIN",
        ("Controlling", "Accounting"),
        (("Controller", 61000), ("Accountant", 49000)),
    ),
}

# Department children: (name, abbreviation, parent family)
SUB_DEPARTMENTS = (
    ("Research", "R&D", "engineering"),
    ("Hardware", None, "engineering"),
    ("Key Accounts", "KA", "sales"),
    ("Logistik", None, "production"),
)

# With category, unit and share.
ABSENCE_TYPES = (
    ("Urlaub", "PAID_VACATION", "DAILY", 52),
    ("Krankheit", "SICK_LEAVE", "DAILY", 20),
    ("Unbezahlter Urlaub", "UNPAID_VACATION", "DAILY", 4),
    ("Elternzeit", "PARENTAL_LEAVE", "DAILY", 0),
    ("Sonderurlaub (Umzug, Hochzeit …)", "OTHER", "DAILY", 4),
    ("Arzttermin", "SICK_LEAVE", "HOURLY", 10),
    ("Überstundenausgleich", "OVERTIME", "HOURLY", 10),
)

# With category.
COMPENSATION_TYPES = (
    ("Base salary", "FIXED_SALARY"),
    ("Hourly wage", "HOURLY"),
    ("Jahresbonus", "ONE_TIME"),
    ("Mobilitätszuschuss", "RECURRING"),
)

# Id, type, label and global id. As in real accounts, labels are missing, translated and used twice.
ATTRIBUTES: tuple[tuple[str, str, str | None, str | None], ...] = (
    ("city", "string", None, "city"),
    ("dynamic_12345", "string", "Kostenstelle", None),
    ("dynamic_12399", "string", "Kostenstelle", None),
    ("dynamic_20417", "int", None, None),
    ("dynamic_20418", "double", "Fahrtweg (km)", None),
    ("dynamic_20502", "date", None, "first_aid_valid_until"),
    ("dynamic_20777", "boolean", None, None),
    ("dynamic_30001", "string_list", "Langues parlées", "languages"),
    ("dynamic_9f3c1a.77", "string", None, None),
    ("birthday", "date", None, "birthday"),
)

TERMINATIONS = (
    ("EMPLOYEE", "New challenge"),
    ("EMPLOYEE", None),
    ("FIRED", "Restructuring"),
    ("AGREEMENT", "Aufhebungsvertrag"),
    ("CONTRACT_EXPIRED", None),
    ("RETIREMENT", "Ruhestand"),
    ("QUIT", "Moving to a different city"),
)

COMMENTS = (
    None,
    None,
    None,
    "Sommerurlaub",
    "Rückkehr am Montag",
    "家族旅行",
    "congés d'été",
    "Line one\nline two",
)

CLIENTS = ("Optik Süd GmbH", "Société Lumière", "Zakłady Świt", "大阪光学", "North Sea Survey Ltd", "Ćwik & Söhne")

# With subprojects.
PROJECTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Spektrometer X2", ("Optik", "Firmware", "Zulassung")),
    ("Wartung 現場", ()),
    ("Télescope Orléans", ("Montage", "Calibration")),
    ("Intern: Weiterbildung", ("Sprachkurse",)),
    ("Sea Floor Scanner", ("Housing", "Électronique", "Feldtest", "Docs")),
    ("Umzug Köln", ()),
    ("Łódź Produkcja 2", ("Linia A", "Linia B")),
    ("Intern: Betriebsrat", ()),
    ("ERP Einführung", ("Finance", "Lager")),
    ("Messe Hannover", ()),
    ("Laser Safety Audit", ()),
    ("Intern: Onboarding", ()),
)

# With the names and kinds of their stages.
RECRUITING: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    ("Angestellte", (("Screening", "SCREENING"), ("Interview", "INTERVIEW"), ("Angebot", "OFFER"))),
    ("Engineering", (("CV", "SCREENING"), ("Code Review", "ASSESSMENT"), ("Onsite", "INTERVIEW"), ("Offer", "OFFER"))),
    ("Produktion", (("Telefonat", "SCREENING"), ("Probetag", "ASSESSMENT"))),
)
CHANNELS = ("Career site", "LinkedIn", "Empfehlung", "Agentur für Arbeit", "Pracuj", "自社サイト")

# With share and media types.
DOCUMENTS: tuple[tuple[str, int, tuple[str, ...]], ...] = (
    ("Arbeitsvertrag", 20, ("application/pdf",)),
    ("Certificates", 20, ("application/pdf", "image/jpeg")),
    ("Gehaltsabrechnung", 40, ("application/pdf",)),
    ("Krankmeldungen", 12, ("image/png", "image/jpeg", "application/pdf")),
    ("その他", 8, ("text/plain", "application/vnd.oasis.opendocument.text")),
)

# Name, address, status and events.
WEBHOOKS: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    (
        "Warehouse",
        "https://hooks.example/warehouse",
        "ENABLED",
        (
            "person.created",
            "person.updated",
            "person.deleted",
            "employment.created",
            "employment.updated",
            "employment.terminated",
            "employment.deleted",
            "absence-period.created",
            "absence-period.updated.timerange",
            "absence-period.deleted",
            "attendance-period.deleted",
            "document.created",
            "document.updated",
            "document.deleted",
        ),
    ),
    (
        "Zeiterfassung Łódź",
        "https://hooks.example/time?site=łódź",
        "ENABLED",
        (
            "absence-period.created",
            "absence-period.updated.timerange",
            "absence-period.deleted",
            "attendance-period.updated",
            "attendance-period.deleted",
        ),
    ),
    ("Old payroll", "https://hooks.example/payroll", "DISABLED", ("person.created", "person.deleted")),
)
