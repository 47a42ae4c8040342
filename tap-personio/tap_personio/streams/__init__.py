"""The streams, a module per subject."""

from __future__ import annotations

from tap_personio.streams.absences import AbsencePeriods, AbsenceTypes
from tap_personio.streams.organization import OrgUnits
from tap_personio.streams.pay import Compensations
from tap_personio.streams.persons import Employments, Persons

STREAMS = (
    AbsencePeriods,
    AbsenceTypes,
    Compensations,
    Employments,
    OrgUnits,
    Persons,
)
