"""A tap that is stopped, or that has lost its loader, writes complete lines, a message and the right exit code."""

from __future__ import annotations

import fcntl
import json
import signal
import subprocess
import sys
import termios
import time
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pytest
from singer_rest.testing import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from singer_rest.testing import Host

pytestmark = pytest.mark.slow

COMMAND = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); from conftest import PetTap; PetTap.cli()"
ROWS = 20_000
PIPE_BYTES = 60_000
"""Almost fills a pipe; the rows are far more."""


@pytest.fixture
def tap_process(shop: Any, vendor: Host, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts the tap as a separate process that reads one long page."""
    shop.refusals["/kinds"] = Response({"data": [{"id": str(row), "name": "x" * 50} for row in range(ROWS)]})
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"api_url": vendor.url, "key": "k", "end_date": "2026-01-31"}))
    with ExitStack() as stack:
        yield lambda *args: stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-c", COMMAND, "--config", str(config), *args],
                bufsize=0,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        )


def bytes_in(pipe: IO[bytes]) -> int:
    """Returns the number of bytes in a pipe."""
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


@pytest.mark.parametrize(("number", "unbuffered"), [(signal.SIGINT, "1"), (signal.SIGTERM, "")])
def test_signal_during_a_write_leaves_whole_lines(
    tap_process: Callable[..., subprocess.Popen[bytes]],
    number: signal.Signals,
    unbuffered: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    process = tap_process()
    assert process.stdout is not None
    while bytes_in(process.stdout) < PIPE_BYTES:  # then it is within a write
        time.sleep(0.01)
    process.send_signal(number)
    out, log = process.communicate(timeout=60)
    lines = out.splitlines(keepends=True)
    assert all(line.endswith(b"\n") and json.loads(line) for line in lines)
    assert 0 < len(lines) < ROWS
    assert process.returncode == 128 + number
    assert b"Stopped by a signal. Finished parts are in the state" in log
    assert b"Traceback" not in log


@pytest.mark.parametrize("args", [(), ("--discover",)])
def test_closed_pipe_is_reported(tap_process: Callable[..., subprocess.Popen[bytes]], args: tuple[str, ...]) -> None:
    process = tap_process(*args)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    log = process.stderr.read()
    assert process.wait(timeout=60) == 1
    assert b"The output cannot be written (broken pipe). Check the loader behind the pipe" in log
    assert b"Traceback" not in log
    assert b"Exception ignored" not in log
