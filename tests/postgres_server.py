"""A PostgreSQL server of the distribution in a temporary folder."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.helpers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator


def query(port: int, sql: str) -> list[str]:
    """Runs SQL on a server of `running_postgres`. Returns the lines of the result that are not empty."""
    command = ["psql", "-h", "127.0.0.1", "-p", str(port), "-U", "hr", "-d", "postgres", "-X", "-At", "-q"]
    done = subprocess.run(
        [*command, "-v", "ON_ERROR_STOP=1"], input=sql, capture_output=True, text=True, check=False, timeout=500
    )
    assert done.returncode == 0, done.stderr
    return [line for line in done.stdout.split("\n") if line]


@contextmanager
def running_postgres() -> Iterator[int]:
    """Runs a server on a free port, for the user `hr`, whose password is not checked. Skips if it is not installed."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if not folders or not shutil.which("psql"):
        pytest.skip("PostgreSQL is not installed: /usr/lib/postgresql, and psql, of the package postgresql")
    folder = Path(tempfile.mkdtemp())  # the server's account cannot read pytest's folders
    server: subprocess.Popen[bytes] | None = None
    account: dict[str, Any] = {}
    if os.geteuid() == 0:  # the server refuses to run as root
        account = {"user": "postgres", "group": "postgres", "extra_groups": []}
        shutil.chown(folder, "postgres")
    try:
        subprocess.run(
            [folders[-1] / "initdb", "-D", folder / "data", "-U", "hr", "-N", "--auth=trust", "--locale=C.UTF-8"],
            capture_output=True,
            check=True,
            cwd=folder,
            **account,
        )
        port = free_port()
        options = {"listen_addresses": "127.0.0.1", "unix_socket_directories": folder, "fsync": "off"}
        flags = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [folders[-1] / "postgres", "-D", folder / "data", "-p", str(port), *flags],
                stdout=log,
                stderr=log,
                cwd=folder,
                **account,
            )
        ready = [folders[-1] / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port), "-t", "1"]
        while subprocess.run(ready, check=False).returncode:
            assert server.poll() is None, (folder / "log").read_text()
            time.sleep(0.1)
        yield port
    finally:
        if server:
            server.send_signal(signal.SIGINT)  # end now, and roll back
            server.wait(timeout=60)
        shutil.rmtree(folder)
