"""Streams of compensations and their types."""

from __future__ import annotations

import pendulum
from singer_rest import Months

from tap_personio.client import PersonioStream


class Compensations(PersonioStream):
    """One row per compensation of a person in a month.

    One or more requests per month; an incremental run reads the last three months again.
    """

    name = "compensations"
    path = "/v2/compensations"
    permission = "personio:compensations:read"
    primary_keys = ("id", "month")  # the vendor uses the same id each month
    replication_key = "month"
    lookback = pendulum.duration(months=3)  # payroll corrects past months
    slices = Months("start_date", "end_date")  # the API returns at most one month
    page_size = 100


class CompensationTypes(PersonioStream):
    """One row per type of compensation."""

    name = "compensation_types"
    path = "/v2/compensations/types"
    permission = "personio:compensations:read"
    primary_keys = ("id",)
    page_size = 100
