"""Links of the portal: to the next page, and to what will have changed."""

from __future__ import annotations

from typing import Any
from urllib.parse import urljoin

from singer_rest import TapError


def member(body: dict[str, Any], name: str) -> Any:  # noqa: ANN401 - what the portal sends
    """A control member such as ``@odata.nextLink``, whatever its case."""
    return next((value for key, value in body.items() if key.lower() == name), None)


def path_of(link: Any, api_url: str, root: str) -> str:  # noqa: ANN401 - what the portal sends
    """Where a link leads, below the portal's address; its query as it is.

    Args:
        link: The link, absolute or below the service's root.
        api_url: The portal.
        root: The service's root.

    Raises:
        TapError: If it leads to another host, where no token must go, or cannot be read.
    """
    if not isinstance(link, str):
        raise TapError("a link of the portal cannot be read. Run again later.")
    target = urljoin(f"{api_url}{root}/", link)
    if not target.startswith(f"{api_url}/"):
        raise TapError("a link leads to another host, and the token must not go there. Check `api_url`.")
    return target.removeprefix(api_url)
