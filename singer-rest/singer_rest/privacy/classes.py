"""The protection classes of columns, in order of the harm that their values can do.

A class is a path of names, such as `pay.amount`: a profile that says something of `pay` says it of `pay.amount`, too.
"""

from __future__ import annotations

UNCLASSIFIED = "unclassified"

CLASSES = {
    "secret": "Grants access: a token, a challenge, the address of a webhook.",
    "special": "Special categories of personal data (article 9 of the GDPR), or values that reveal them.",
    "special.absence": "The kind of an absence, which may reveal an illness.",
    "special.health": "Health: a disability, a certificate, a health insurer.",
    "special.belief": "Religion or belief, such as a church tax.",
    "special.origin": "Ethnic origin.",
    "special.text": "Text about one of these.",
    "national_id": "A number that a state assigned: tax, social security, identity card, permit.",
    "bank": "A bank account, a card, a balance or a movement.",
    "pay": "Pay, or values from which it can be computed.",
    "pay.amount": "An amount paid to a person, and what belongs to it.",
    "pay.band": "A salary band, a pay grade or a tariff group.",
    "pay.derived": "A cost that is computed from pay, such as a labour cost.",
    "pay.text": "Text about pay.",
    "evaluation": "An assessment of a person: a score, an answer, a rating, a rejection.",
    "evaluation.text": "Text of an assessment.",
    "file": "A file or a picture, its name or its address.",
    "free_text": "Text that somebody typed about a person.",
    "demographic": "A personal attribute that is not a special category.",
    "demographic.birth": "Date of birth, or age.",
    "demographic.gender": "Gender.",
    "demographic.family": "Marital status, children.",
    "demographic.nationality": "Nationality, country of birth.",
    "direct_id": "Identifies a person within the company.",
    "direct_id.id": "A person's id in the vendor's system.",
    "direct_id.email": "A work e-mail address.",
    "direct_id.number": "A personnel number.",
    "direct_id.name": "A name.",
    "contact": "Private contact data: an address, a phone number, an emergency contact.",
    "contact.postcode": "A postcode.",
    "contact.country": "A country.",
    "conduct": "What somebody did, when and where.",
    "conduct.clock": "A time of day of work or of a break.",
    "conduct.clock.start": "The start of an interval of work.",
    "conduct.clock.end": "The end of an interval of work.",
    "conduct.place": "Where somebody was.",
    "conduct.login": "When somebody was last seen in a system.",
    "personal": "Describes one person's employment.",
    "personal.start": "The first day of an employment.",
    "personal.end": "The last day of an employment.",
    "personal.title": "A job title.",
    "organisational": "Describes the company, not a person.",
    "technical": "Ids of rows, timestamps of records, bookmarks.",
    UNCLASSIFIED: "Unknown: fields that a company defined itself, or that the vendor added.",
}
"""The description of each class. The order is that of the harm, except for `unclassified`."""

TOP_CLASSES = tuple(name for name in CLASSES if "." not in name)
PERSON_SPACES = frozenset(
    {"person", "employee", "access", "candidate", "user", "guid", "applicant", "number", "combined"}
)
"""Kinds of ids of people. Ids of one kind are comparable within a vendor's account.

An id of the kind `combined` is a text that joins a person's id with others, such as a date.
"""

EMAIL = "email"
"""The space of e-mail addresses, which all vendors share: equal addresses have equal pseudonyms."""


def lookup_class(name: str, values: dict[str, str]) -> str | None:
    """Returns the value of a class, or of the nearest class above it. None: there is none."""
    while name:
        if name in values:
            return values[name]
        name = name.rpartition(".")[0]
    return None
