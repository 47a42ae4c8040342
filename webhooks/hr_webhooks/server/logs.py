"""The log on stderr: a line per request, without secrets, payloads and codes of addresses."""

from __future__ import annotations

import json
import logging
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from hr_webhooks.addresses import Address
    from hr_webhooks.server.exchange import Exchange, Outcome

LOGGER = logging.getLogger("hr_webhooks")
REFUSALS_PER_SECOND = 10  # further ones are only counted, so that a scan does not fill the disk
_FIELDS = "fields"


class _JsonFormatter(logging.Formatter):
    """One JSON object per line, with the members that the taps' lines have."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line of a record."""
        entry = {
            "level": record.levelname.lower(),
            "pid": record.process,
            "logger_name": record.name,
            "ts": record.created,
            "app_name": "hr-webhooks",
            "message": record.getMessage(),
            "extra": getattr(record, _FIELDS, {}),
        }
        return json.dumps(entry)


class _TextFormatter(logging.Formatter):
    """One line of text."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line of a record."""
        fields = "".join(f" {name}={value}" for name, value in getattr(record, _FIELDS, {}).items())
        when = datetime.fromtimestamp(record.created, UTC)
        return f"{when:%Y-%m-%d %H:%M:%S}Z {record.levelname.lower():7} {record.getMessage()}{fields}"


def set_up_logging(kind: Literal["text", "json"], *, quiet: bool = False) -> None:
    """Writes the log to stderr.

    Args:
        kind: The format of a line.
        quiet: Leave out requests that were answered with 200.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter() if kind == "json" else _TextFormatter())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    LOGGER.setLevel(logging.WARNING if quiet else logging.INFO)
    logging.getLogger("hr_webhooks.server.run").setLevel(logging.INFO)
    # Its messages about malformed requests would fill the log, and its tracebacks might hold values.
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)


class RequestLog:
    """Writes a line per request, but not for each one of many refusals."""

    def __init__(self) -> None:
        self._second = 0
        self._refusals = 0

    def write(self, outcome: Outcome, address: Address | None, exchange: Exchange, seconds: float) -> None:
        """Writes the line of a request."""
        level = _LEVELS.get(outcome.status, logging.WARNING)
        if not LOGGER.isEnabledFor(level) or (level != logging.INFO and self._is_suppressed()):
            return
        fields: dict[str, object] = {}
        if address:
            fields |= {"tenant": address.tenant, "vendor": address.vendor}
            if address.type:
                fields["type"] = address.type
        fields["status"] = outcome.status
        if exchange.position is not None:
            fields |= {"n": exchange.position, "bytes": exchange.size}
        if exchange.error:
            fields["error"] = exchange.error
        fields["ms"] = round(seconds * 1000, 1)
        LOGGER.log(level, outcome.text, extra={_FIELDS: fields})

    def _is_suppressed(self) -> bool:
        second = int(time.monotonic())
        if second != self._second:
            if self._refusals > REFUSALS_PER_SECOND:
                LOGGER.warning("refused without a line: %s", self._refusals - REFUSALS_PER_SECOND)
            self._second, self._refusals = second, 0
        self._refusals += 1
        return self._refusals > REFUSALS_PER_SECOND


_LEVELS = {200: logging.INFO, 503: logging.ERROR}
