"""The portal's links: to next pages and to later changes."""

from __future__ import annotations

from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

from singer_rest import TapError

"""Maximum number of digits of a number that is text."""
DEFAULT_PORTS = {"https": 443, "http": 80}


def find_property(body: dict[str, Any], name: str) -> Any:  # noqa: ANN401 - what the portal sends
    """Returns the value of a control property, such as ``@odata.nextLink``, in any letter case."""
    return next((value for key, value in body.items() if key.lower() == name), None)


def path_of(link: Any, api_url: str, path: str) -> str:  # noqa: ANN401 - what the portal sends
    """Returns the path and query of a link, relative to the portal.

    The token is sent only to the portal's own address: of a link to another host, such as the vendor's second domain or
    a portal behind a proxy, only the query is used.

    Args:
        link: The link, absolute or relative to the service's root.
        api_url: The portal.
        path: The path of the view or object, relative to the service's root.

    Raises:
        TapError: If it cannot be read, or leads to another host and has no query.
    """
    try:
        own, target = urlsplit(api_url), urlsplit(urljoin(f"{api_url}{path}", link))
        is_own = _is_same(own, target) and target.path.startswith(f"{own.path}/")
    except (ValueError, TypeError, AttributeError):
        raise TapError("a link of the portal cannot be read. Run again later.") from None
    if is_own:
        # Behind a proxy a portal may write http; requests always go to its configured address.
        path = str(target.path).removeprefix(own.path)
    elif not target.query:
        raise TapError("a link leads to another host, and the token must not be sent there. Check `api_url`.")
    return f"{path}?{target.query}" if target.query else path


def is_same(url: Any, api_url: str) -> bool:  # noqa: ANN401 - what stands in a state
    """Whether a URL is the portal's."""
    try:
        return _is_same(urlsplit(api_url), urlsplit(str(url)))
    except ValueError:
        return False


def _is_same(own: SplitResult, target: SplitResult) -> bool:
    is_port = _effective_port(target) == _effective_port(own) or (_is_default_port(own) and _is_default_port(target))
    return target.hostname == own.hostname and is_port


def _effective_port(address: SplitResult) -> int | None:
    return address.port or DEFAULT_PORTS.get(address.scheme)


def _is_default_port(address: SplitResult) -> bool:
    return _effective_port(address) == DEFAULT_PORTS.get(address.scheme)
