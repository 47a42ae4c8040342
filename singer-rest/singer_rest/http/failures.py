"""What went wrong with a request that got no response, as an error for the person who runs the tap."""

from __future__ import annotations

import re
import ssl
from typing import TYPE_CHECKING, Literal, NamedTuple

import requests
from urllib3.exceptions import HTTPError, NewConnectionError, SSLError

from singer_rest.errors import RetryableError, RunError, TapError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_rest.http.proxies import Proxy

TIMEOUT_REASON = "no response in time"
BROKEN = "the connection broke"
UNREACHABLE = "the host cannot be reached; check the addresses in the settings"
UNTRUSTED = (
    "The host's certificate cannot be trusted. Check `api_url`. If your company's proxy or network signs certificates, "
    "name its authority's file in the environment variable SSL_CERT_FILE, or in REQUESTS_CA_BUNDLE to trust no other."
)
NO_TLS = "the encrypted connection could not be set up"
INVALID_RESPONSES = (
    (requests.TooManyRedirects, "too many redirects"),
    (
        requests.exceptions.InvalidHeader,
        "the response headers contradict each other",
    ),  # not the request's
    (requests.exceptions.ContentDecodingError, "the body could not be decompressed"),
)
TUNNEL_FAILED = re.compile(r"Tunnel connection failed: (\d{3})")
"""How Python reports a proxy's response to CONNECT. An attribute with the status does not exist."""
BAD_GATEWAY = 502
PROXY_AUTHENTICATION = 407


class Failure(NamedTuple):
    """A failed request.

    Args:
        error: The error to raise.
        part: The part of the connection that failed, if it was not the host.
    """

    error: Exception
    part: Literal["proxy", "encryption"] | None = None


def describe_failure(error: Exception, endpoint: str, proxy: Proxy | None) -> Failure:
    """Describes an error that was raised instead of a response.

    Args:
        error: The error, of requests, urllib3 or the system.
        endpoint: The endpoint of the request.
        proxy: The proxy through which the request was sent.
    """
    causes = list(_causes(error))
    of_proxy = _proxy_failure(error, causes, proxy) if proxy else None
    return of_proxy or _tls_failure(error, causes) or _host_failure(error, causes, endpoint)


def proxy_refuses_credentials(proxy: Proxy) -> RunError:
    """Returns the error for a proxy that wants other credentials."""
    return RunError(
        f"The proxy {proxy.address} rejects the user name or password, or needs one (status {PROXY_AUTHENTICATION}). "
        f"Check {proxy.source}, as in http://user:password@host:port; write special characters in it as %XX."
    )


def _proxy_failure(error: Exception, causes: list[BaseException], proxy: Proxy) -> Failure | None:
    """Describes an error of the proxy. None: it was not the proxy's."""
    if isinstance(error, requests.exceptions.InvalidSchema):
        return Failure(
            RunError(
                f"The proxy {proxy.address} is of a kind that is not supported. Set {proxy.source} to an address that "
                "begins with http:// or https://; for SOCKS, install the package PySocks."
            ),
            "proxy",
        )
    if isinstance(error, requests.exceptions.InvalidProxyURL):
        return Failure(RunError(f"{proxy.source} is not a valid address. Set it as in http://host:port."), "proxy")
    if match := next((match for cause in causes if (match := TUNNEL_FAILED.match(str(cause)))), None):
        return Failure(_tunnel_error(int(match[1]), proxy), "proxy")
    if not isinstance(error, requests.exceptions.ProxyError):
        return None
    if any(isinstance(cause, (ssl.SSLError, SSLError)) for cause in causes):
        return Failure(
            RunError(
                f"No encrypted connection to the proxy {proxy.address} is possible. Check {proxy.source}: most proxies "
                "begin with http://, even for requests to https:// addresses. If it is right, name the authority of "
                "the proxy's certificate in SSL_CERT_FILE."
            ),
            "proxy",
        )
    return Failure(RetryableError(f"the proxy {proxy.address} cannot be reached; check {proxy.source}"), "proxy")


def _tls_failure(error: Exception, causes: list[BaseException]) -> Failure | None:
    """Describes an error of the encryption. None: it was none."""
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return Failure(RunError(UNTRUSTED), "encryption")
    if isinstance(error, requests.exceptions.SSLError):
        return Failure(RetryableError(NO_TLS), "encryption")
    if isinstance(error, (requests.RequestException, HTTPError, ValueError)):
        return None
    return Failure(
        RunError(
            "The certificates to verify hosts with cannot be read. Check the environment variables "
            "REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE."
        ),
        "encryption",
    )


def _host_failure(error: Exception, causes: list[BaseException], endpoint: str) -> Failure:
    if isinstance(error, requests.Timeout):
        return Failure(RetryableError(TIMEOUT_REASON, slow=not isinstance(error, requests.ConnectTimeout)))
    if reason := next((reason for kind, reason in INVALID_RESPONSES if isinstance(error, kind)), None):
        return Failure(RetryableError(reason))
    if isinstance(error, ValueError):
        return Failure(TapError(f"{endpoint} has an invalid URL. Check the addresses in the settings."))
    is_unreachable = any(isinstance(cause, NewConnectionError) for cause in causes)
    return Failure(RetryableError(UNREACHABLE if is_unreachable else BROKEN))


def _tunnel_error(status: int, proxy: Proxy) -> Exception:
    if status == PROXY_AUTHENTICATION:
        return proxy_refuses_credentials(proxy)
    if status >= BAD_GATEWAY:
        return RetryableError(f"the proxy {proxy.address} cannot reach the host (status {status})")
    return RunError(
        f"The proxy {proxy.address} refuses connections to the host (status {status}). Have the host of `api_url` "
        f"allowed there, or exempt it with NO_PROXY. The proxy is set by {proxy.source}."
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yields an error and those that it holds: requests wraps errors of urllib3, which wrap those of the system."""
    yield error
    held = [*error.args, getattr(error, "reason", None)]
    for cause in held:
        if isinstance(cause, BaseException):
            yield from _causes(cause)
