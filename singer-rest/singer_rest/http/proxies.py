"""The proxy that the environment configures. Its user name and password are never shown."""

from __future__ import annotations

import os
from typing import NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies

from requests.utils import get_environ_proxies, select_proxy


class Proxy(NamedTuple):
    """A proxy.

    Args:
        address: Its host and port.
        source: The environment variable that configures it, or the system's settings.
    """

    address: str
    source: str


def proxy_for(url: str) -> Proxy | None:
    """Returns the proxy through which requests to a URL are sent, if there is one."""
    return _proxy(url, get_environ_proxies(url))


def bypassed_proxy_for(url: str) -> Proxy | None:
    """Returns the proxy through which requests to a URL would be sent if NO_PROXY did not exempt its host."""
    return None if proxy_for(url) else _proxy(url, getproxies())


def _proxy(url: str, proxies: dict[str, str]) -> Proxy | None:
    address = select_proxy(url, proxies)
    if not address:
        return None
    names = [f"{kind}_proxy" for kind in (urlsplit(url).scheme, "all")]
    source = next(
        (variable for name in names for variable in (name, name.upper()) if os.environ.get(variable)),
        "the system's proxy settings",
    )
    parts = urlsplit(address if "://" in address else f"http://{address}")
    host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname or "without a host"
    try:
        return Proxy(f"{host}:{parts.port}" if parts.port else host, source)
    except ValueError:  # the port is no number
        return Proxy(host, source)
