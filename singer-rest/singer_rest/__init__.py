"""What REST taps of the Singer SDK share: slices, pages fetched ahead, pacing, retries, tokens, access errors."""

from __future__ import annotations

from singer_rest import times
from singer_rest.answers import Meaning
from singer_rest.auth import Authenticator, Token
from singer_rest.changes import ChangedSince
from singer_rest.errors import NoAccess, RunError, TapError
from singer_rest.pacing import Pacer, Rate
from singer_rest.pages import Numbered, Parsed, Reply, Request, query
from singer_rest.parents import Batches, Children
from singer_rest.schemas import is_reserved
from singer_rest.secret_names import is_secret
from singer_rest.settings import common_settings
from singer_rest.slices import Each, Slice, Slices, Sweep, Values, Whole
from singer_rest.stream import RestStream
from singer_rest.tap import RestTap
from singer_rest.windows import DateWindows, DayWindows, Months, SpreadOverMonths

__all__ = [
    "Authenticator",
    "Batches",
    "ChangedSince",
    "Children",
    "DateWindows",
    "DayWindows",
    "Each",
    "Meaning",
    "Months",
    "NoAccess",
    "Numbered",
    "Pacer",
    "Parsed",
    "Rate",
    "Reply",
    "Request",
    "RestStream",
    "RestTap",
    "RunError",
    "Slice",
    "Slices",
    "SpreadOverMonths",
    "Sweep",
    "TapError",
    "Token",
    "Values",
    "Whole",
    "common_settings",
    "is_reserved",
    "is_secret",
    "query",
    "times",
]
