"""Links of the portal: to the next page, and to what will have changed."""

from __future__ import annotations

from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

from singer_rest import TapError

LONGEST_COUNT = 20
"""Digits of a number that comes as text; one of more counts nothing."""
USUAL_PORTS = {"https": 443, "http": 80}


def member(body: dict[str, Any], name: str) -> Any:  # noqa: ANN401 - what the portal sends
    """A control member such as ``@odata.nextLink``, whatever its case."""
    return next((value for key, value in body.items() if key.lower() == name), None)


def count_of(value: Any) -> int | None:  # noqa: ANN401 - what the portal sends
    """A number of items, whether it comes as a number or as text; None where it is none."""
    is_count = isinstance(value, int) and not isinstance(value, bool)
    is_text = isinstance(value, str) and value.isdecimal() and len(value) < LONGEST_COUNT
    return int(value) if is_count or is_text else None


def path_of(link: Any, api_url: str, path: str) -> str:  # noqa: ANN401 - what the portal sends
    """Where a link leads, below the portal's address; its query as it is.

    The token goes to the portal's own address, whatever host a link names: of one to another host, such as the vendor's
    second domain or the portal behind a proxy, only the query is taken.

    Args:
        link: The link, absolute or below the service's root.
        api_url: The portal.
        path: The view's or object's own path, below the service's root.

    Raises:
        TapError: If it cannot be read, or names neither this portal nor a place in the list.
    """
    try:
        own, target = urlsplit(api_url), urlsplit(urljoin(f"{api_url}{path}", link))
        is_own = _is_same(own, target) and target.path.startswith(f"{own.path}/")
    except (ValueError, TypeError, AttributeError):
        raise TapError("a link of the portal cannot be read. Run again later.") from None
    if is_own:
        # Behind a proxy a portal may write http; what is asked is below its own address whatever it writes.
        path = str(target.path).removeprefix(own.path)
    elif not target.query:
        raise TapError("a link leads to another host, and the token must not go there. Check `api_url`.")
    return f"{path}?{target.query}" if target.query else path


def is_same(url: Any, api_url: str) -> bool:  # noqa: ANN401 - what stands in a state
    """Whether an address is that of the portal."""
    try:
        return _is_same(urlsplit(api_url), urlsplit(str(url)))
    except ValueError:
        return False


def _is_same(own: SplitResult, target: SplitResult) -> bool:
    is_port = _port(target) == _port(own) or (_is_usual(own) and _is_usual(target))
    return target.hostname == own.hostname and is_port


def _port(address: SplitResult) -> int | None:
    return address.port or USUAL_PORTS.get(address.scheme)


def _is_usual(address: SplitResult) -> bool:
    return _port(address) == USUAL_PORTS.get(address.scheme)
