"""The options of a sandbox."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

MAX_PORT = 65_535
MAX_LATENCY_MS = 600_000
MAX_TTL = 10_000_000
MIN_EMPLOYEES = 10
FIRST_TODAY = date(1970, 1, 1)


class OptionError(ValueError):
    """An option has an invalid value; the message is one sentence for the user."""


def _current_date() -> date:
    return datetime.now(UTC).date()


@dataclass(frozen=True, slots=True)
class Options:
    """The options of `hr-sandbox serve`; see its help."""

    host: str = "127.0.0.1"
    port: int = 0
    employees: int = 250
    seed: int = 7
    today: date = field(default_factory=_current_date)
    latency_ms: float = 0
    requests_per_minute: int | None = None
    token_ttl: float = 86_400
    fault_rate: float = 0
    client_id: str = "sandbox-client"
    client_secret: str = "sandbox-secret"  # noqa: S105  a documented default
    api_key: str = "sandbox-api-key"
    allow_remote: bool = False
    http_webhooks: bool = False

    def __post_init__(self) -> None:
        """Validates the options, or raises OptionError."""
        checks = {
            f"--port must be between 0 and {MAX_PORT}, not {self.port}": 0 <= self.port <= MAX_PORT,
            f"--employees must be at least {MIN_EMPLOYEES}, not {self.employees}": self.employees >= MIN_EMPLOYEES,
            f"--latency-ms must be between 0 and {MAX_LATENCY_MS}, not {self.latency_ms:g}": (
                0 <= self.latency_ms <= MAX_LATENCY_MS
            ),
            "--requests-per-minute must be at least 1": self.requests_per_minute is None
            or self.requests_per_minute >= 1,
            f"--token-ttl must be between 1 and {MAX_TTL} seconds, not {self.token_ttl:g}": (
                1 <= self.token_ttl <= MAX_TTL
            ),
            f"--fault-rate must be between 0 and 1, not {self.fault_rate:g}": 0 <= self.fault_rate <= 1,
            f"--today must be between {FIRST_TODAY} and the present day, {_current_date()}, not {self.today}": (
                FIRST_TODAY <= self.today <= _current_date()
            ),
            "--client-id and --client-secret must not be empty": bool(self.client_id and self.client_secret),
            "--api-key must not be empty": bool(self.api_key),
            f"--host {self.host} can be reached from other machines: add --allow-remote if this is intended": (
                self.allow_remote or is_loopback(self.host)
            ),
        }
        for sentence, holds in checks.items():
            if not holds:
                raise OptionError(f"{sentence}.")


def is_loopback(host: str) -> bool:
    """Returns whether the host can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
