"""Runs a receiver for tests."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec
import msgspec.yaml

from hr_webhooks.addresses import (
    create_address_key,
    list_addresses,
    make_path,
    read_address_keys,
    write_address_keys,
)
from hr_webhooks.config import load_config
from hr_webhooks.journal import Journal
from hr_webhooks.private_files import write_private

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

READY = "hr-webhooks ready at "
SECRETS = {vendor: f"secret-of-{vendor}-for-tests" for vendor in ("personio", "factorial", "cornerstone")}
TYPE = "employees/employee/update"
TENANTS: dict[str, Any] = {
    "acme": {
        "personio": {"secret_files": ["personio", "personio-old"]},
        "factorial": {"secret_files": ["factorial"], "types": [TYPE, "timeoff/leave/create"]},
        "cornerstone": {"secret_files": ["cornerstone"]},
    }
}
HEADERS = {"personio": "Authorization", "factorial": "x-factorial-wh-challenge", "cornerstone": "x-api-key"}


class Running:
    """A receiver in a process of its own.

    Args:
        config: Its configuration file.
        options: Further arguments of `hr-webhooks serve`.
        environment: Further environment variables.

    Attributes:
        config: Its configuration file.
        log: The file with its log.
        process: The process.
        url: Where it answers, such as `http://127.0.0.1:41234`.
        status_url: Where `/health` and `/metrics` are.
    """

    def __init__(self, config: Path, *options: str, environment: Mapping[str, str] | None = None) -> None:
        self.config = config
        self.log = config.with_suffix(".log")
        command = [sys.executable, "-m", "hr_webhooks", "serve", "--config", str(config), *options]
        if "--listen" not in options:
            command += ["--listen", "127.0.0.1:0"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - a fixed command
                [*command, "--status-listen", "127.0.0.1:0"],
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, **(environment or {})},
                text=True,
            )
        assert self.process.stdout  # noqa: S101 - for mypy
        line = self.process.stdout.readline()
        if not line.startswith(READY):
            self.stop()
            raise RuntimeError(f"The receiver did not start: {self.log.read_text()}")
        self.url, _, self.status_url = line.removeprefix(READY).strip().partition(", status at ")

    @property
    def journal(self) -> Journal:
        """Its journal."""
        return Journal(load_config(self.config).journal_path)

    def path(self, vendor: str, *, event_type: str | None = None, tenant: str | None = None) -> str:
        """Returns the path of the first address of a vendor, or of a type of event, or of a tenant."""
        return find_path(self.config, vendor, event_type=event_type, tenant=tenant)

    def connect(self, timeout: float = 20) -> socket.socket:
        """Returns a new connection, for what is no complete request.

        Args:
            timeout: Seconds that each operation may take.
        """
        host = urlsplit(self.url)
        return socket.create_connection((host.hostname, host.port), timeout=timeout)

    def send(
        self,
        body: bytes = b"",
        *,
        vendor: str = "personio",
        secret: str | None = None,
        path: str | None = None,
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
    ) -> int:
        """Sends a request as a vendor does.

        Args:
            body: The body.
            vendor: The vendor.
            secret: The secret, by default the right one; empty for none.
            path: The path, by default that of the vendor's first address.
            method: The HTTP method.
            headers: Further headers.

        Returns:
            The status of the answer.
        """
        secret = SECRETS[vendor] if secret is None else secret
        sent = {**({HEADERS[vendor]: secret} if secret else {}), **(headers or {})}
        host = urlsplit(self.url)
        connection = http.client.HTTPConnection(host.hostname or "", host.port, timeout=60)
        try:
            connection.request(method, path or self.path(vendor), body, sent)
            return connection.getresponse().status
        finally:
            connection.close()

    def read_status(self, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, str]:
        """Returns the status and the text of a status page, such as `/health`."""
        host = urlsplit(self.status_url)
        connection = http.client.HTTPConnection(host.hostname or "", host.port, timeout=60)
        try:
            connection.request("GET", path, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def kill(self) -> None:
        """Kills it, as a crash would."""
        self.process.kill()
        self.stop()

    def stop(self) -> int:
        """Stops it, and returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        if self.process.stdout:
            self.process.stdout.close()
        return code


def find_path(path: Path, vendor: str, *, event_type: str | None = None, tenant: str | None = None) -> str:
    """Returns the path of the first address of a vendor, or of a type of event, or of a tenant, in a configuration."""
    config = load_config(path)
    key = read_address_keys(config.address_key_path)[0]
    return next(
        make_path(key, address)
        for address in list_addresses(config)
        if address.vendor == vendor and event_type in (None, address.type) and tenant in (None, address.tenant)
    )


def write_config(folder: Path, **settings: Any) -> Path:
    """Writes a configuration with its key and secrets.

    Args:
        folder: Where to write it.
        settings: Other top-level settings, such as `tenants` or `server`.

    Returns:
        The configuration file.
    """
    for vendor, secret in SECRETS.items():
        write_private(folder / vendor, f"{secret}\n")
    write_address_keys(folder / "key", [create_address_key()])
    content = {
        "journal": "journal",
        "public_url": "https://hooks.example.com",
        "address_key_file": "key",
        "tenants": TENANTS,
        **settings,
    }
    path = folder / "webhooks.yml"
    path.write_bytes(msgspec.yaml.encode(content))
    return path


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Waits until a condition holds, or raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.01)


@contextmanager
def running(config: Path, *options: str, environment: Mapping[str, str] | None = None) -> Iterator[Running]:
    """Runs a receiver.

    Args:
        config: Its configuration, such as of `write_config`.
        options: Further arguments of `hr-webhooks serve`.
        environment: Further environment variables.

    Yields:
        The receiver, which stops when the context ends.
    """
    receiver = Running(config, *options, environment=environment)
    try:
        yield receiver
    finally:
        receiver.stop()
