"""The authorities whose certificates are trusted."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import NamedTuple

from requests.utils import DEFAULT_CA_BUNDLE_PATH

OWN = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Environment variables that name the only trusted authorities. The first one that is set counts."""
ADDED = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""Environment variables that change where OpenSSL looks for the system's authorities."""


def trusted_context() -> ssl.SSLContext:
    """Returns a TLS context that trusts the system's authorities, and those that requests brings along.

    The latter are needed where the system has none, as in small containers.
    """
    import truststore  # noqa: PLC0415 - only needed with https

    context: ssl.SSLContext = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    return context


class Authorities(NamedTuple):
    """Where the trusted authorities come from.

    Args:
        description: The places, in a few words.
        missing: Environment variables that name a file or folder that does not exist.
    """

    description: str
    missing: list[str]


def trusted_authorities() -> Authorities:
    """Returns where the trusted authorities come from."""
    names = [name for name in OWN if os.environ.get(name)][:1] or [name for name in ADDED if os.environ.get(name)]
    missing = [name for name in names if not Path(os.environ[name]).exists()]
    if names and names[0] in OWN:
        return Authorities(f"authorities of {names[0]}", missing)
    used = [name for name in names if name not in missing]
    return Authorities("the system's authorities" + (f", with {' and '.join(used)}" if used else ""), missing)
