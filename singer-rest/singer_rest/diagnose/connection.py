"""Checks the connection to the vendor: host, encryption, proxy, clock and credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple
from urllib.parse import urlsplit

from singer_rest import times
from singer_rest.errors import TapError, describe_error
from singer_rest.http.proxies import bypassed_proxy_for, proxy_for
from singer_rest.http.retries import format_duration
from singer_rest.http.trust import trusted_authorities

if TYPE_CHECKING:
    from singer_rest.diagnose.diagnosable_tap import DiagnosableTap
    from singer_rest.http.trust import Authorities

MAX_SKEW = 60.0
"""Seconds by which the clocks may differ: tokens are renewed this long before they expire."""


class Check(NamedTuple):
    """The outcome of one check, with a sentence about it."""

    status: Literal["ok", "warning", "failed", "unknown"]
    detail: str


def check_credentials(tap: DiagnosableTap) -> Check:
    """Checks that the vendor accepts the credentials. Requests a token, if they need one."""
    try:
        tap.authenticator.token()
    except TapError as error:
        if tap.transport.server_time is None:
            return Check("unknown", describe_error(error))
        return Check("failed", describe_error(error))
    return Check("ok", "accepted" if tap.transport.server_time else "set; no token is requested with them")


def check_connection(tap: DiagnosableTap, credential: Check) -> dict[str, Check]:
    """Returns all checks by name. Call it after some requests have been sent: they show whether the host responds.

    Args:
        tap: The tap.
        credential: The check of the credentials.
    """
    host = _check_host(tap, credential.detail)
    if host.status == "failed":
        credential = Check("unknown", "not checked")
    return {
        "host": host,
        "encryption": _check_encryption(tap),
        "proxy": _check_proxy(tap),
        "clock": _check_clock(tap),
        "credentials": credential,
    }


def _check_host(tap: DiagnosableTap, reason: str) -> Check:
    host = urlsplit(tap.api_url).netloc
    if tap.transport.server_time:
        return Check("ok", f"{host} answers")
    return Check("failed", f"{host} does not respond. {reason}")


def _check_encryption(tap: DiagnosableTap) -> Check:
    address = urlsplit(tap.api_url)
    if address.scheme != "https":
        is_local = address.hostname in {"localhost", "127.0.0.1", "::1"}
        return Check("ok" if is_local else "warning", "none: the address begins with http://")
    authorities = trusted_authorities()
    if tap.transport.failed_part == "encryption":
        return Check("failed", f"no trusted connection ({_missing(authorities) or authorities.description})")
    if tap.transport.server_time is None:
        return Check("unknown", f"not checked ({authorities.description})")
    if missing := _missing(authorities):
        return Check("warning", f"the host's certificate is trusted ({authorities.description}), but {missing}")
    return Check("ok", f"the host's certificate is trusted ({authorities.description})")


def _missing(authorities: Authorities) -> str:
    return f"{' and '.join(authorities.missing)} names nothing that exists" if authorities.missing else ""


def _check_proxy(tap: DiagnosableTap) -> Check:
    """Names the proxy, without its credentials."""
    proxy = proxy_for(tap.api_url)
    if proxy is None:
        bypassed = bypassed_proxy_for(tap.api_url)
        return Check("ok", f"none: NO_PROXY exempts the host from {bypassed.address}" if bypassed else "none")
    detail = f"{proxy.address}, from {proxy.source}"
    if tap.transport.failed_part == "proxy":
        return Check("failed", detail)
    return Check("ok" if tap.transport.server_time else "unknown", detail)


def _check_clock(tap: DiagnosableTap) -> Check:
    header, received = tap.transport.server_time or ("", tap.started)
    try:
        skew = (received - times.parse_http_date(header)).total_seconds()
    except Exception:  # noqa: BLE001 - the date parser raises errors of many types
        return Check("unknown", "the host does not say what time it is")
    if abs(skew) <= MAX_SKEW:
        return Check("ok", f"agrees with the host's (difference {abs(skew):.0f} s)")
    side = "ahead of" if skew > 0 else "behind"
    return Check("warning", f"{format_duration(abs(skew))} {side} the host's: set this machine's clock")
