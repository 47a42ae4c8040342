"""Framework for REST taps on the Singer SDK: slices, concurrent fetching, rate limits, retries, tokens."""

from __future__ import annotations

from singer_rest import times
from singer_rest.aliases import Record
from singer_rest.changes import ChangedSince
from singer_rest.errors import AccessDeniedError, RetryableError, RunError, TapError
from singer_rest.fetch.meanings import Meaning
from singer_rest.fetch.page import Page, ParsedBody
from singer_rest.http.auth import RENEW_INTERVAL, ApiKey, Authenticator, Token
from singer_rest.http.headers import is_sendable
from singer_rest.http.paginators import (
    CursorParam,
    NextLink,
    Offset,
    PageContents,
    PageNumber,
    PageToken,
    Paginator,
    SinglePage,
)
from singer_rest.http.rate_limits import YEAR, RateLimit, RateLimiter
from singer_rest.http.request import Reply, Request, encode_json_body, merge_params, value_at_path
from singer_rest.http.retries import FIRST_DELAY
from singer_rest.http.token_file import RefreshingAuthenticator, TokenChain, TokenFile, TokenGrant, save_login
from singer_rest.http.token_requests import (
    parse_lifetime,
    post_for_token,
    request_token_with_retries,
    send_with_retries,
)
from singer_rest.http.transport import Transport
from singer_rest.secret_settings import read_secret
from singer_rest.settings import check_addresses, common_settings, describe_missing_setting
from singer_rest.singer.coercion import make_coercer
from singer_rest.singer.command import Command
from singer_rest.singer.page_rows import RowShape
from singer_rest.singer.scalars import parse_count
from singer_rest.singer.schemas import is_reserved
from singer_rest.singer.secret_names import is_secret
from singer_rest.slices.base import ParentIds, SingleSlice, Slice, Slices, Window
from singer_rest.slices.ids import ById, IdsParam, ListedInParent, RecordPath
from singer_rest.slices.params import ParamSets, ParamValues, Product
from singer_rest.slices.parents import ParentBatches, PerParent, iterate_parents
from singer_rest.slices.windows import DateWindows, DayWindows, MonthlyBackfill, Months
from singer_rest.state.account import Account
from singer_rest.stream import RestStream
from singer_rest.tap import RestTap

__all__ = [
    "FIRST_DELAY",
    "RENEW_INTERVAL",
    "YEAR",
    "AccessDeniedError",
    "Account",
    "ApiKey",
    "Authenticator",
    "ById",
    "ChangedSince",
    "Command",
    "CursorParam",
    "DateWindows",
    "DayWindows",
    "IdsParam",
    "ListedInParent",
    "Meaning",
    "MonthlyBackfill",
    "Months",
    "NextLink",
    "Offset",
    "Page",
    "PageContents",
    "PageNumber",
    "PageToken",
    "Paginator",
    "ParamSets",
    "ParamValues",
    "ParentBatches",
    "ParentIds",
    "ParsedBody",
    "PerParent",
    "Product",
    "RateLimit",
    "RateLimiter",
    "Record",
    "RecordPath",
    "RefreshingAuthenticator",
    "Reply",
    "Request",
    "RestStream",
    "RestTap",
    "RetryableError",
    "RowShape",
    "RunError",
    "SinglePage",
    "SingleSlice",
    "Slice",
    "Slices",
    "TapError",
    "Token",
    "TokenChain",
    "TokenFile",
    "TokenGrant",
    "Transport",
    "Window",
    "check_addresses",
    "common_settings",
    "describe_missing_setting",
    "encode_json_body",
    "is_reserved",
    "is_secret",
    "is_sendable",
    "iterate_parents",
    "make_coercer",
    "merge_params",
    "parse_count",
    "parse_lifetime",
    "post_for_token",
    "read_secret",
    "request_token_with_retries",
    "save_login",
    "send_with_retries",
    "times",
    "value_at_path",
]
