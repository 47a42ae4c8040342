"""A headless browser for tests and pictures, and a server for what it opens."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
import threading
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def find_browser() -> str | None:
    """Returns the command of a headless browser, or None if there is none."""
    return shutil.which("chromium") or shutil.which("google-chrome")


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves a folder without a log."""

    def log_message(self, *_args: Any) -> None:
        """Logs nothing."""


@contextmanager
def serve_folder(folder: Path, handler: type[QuietHandler] = QuietHandler) -> Iterator[str]:
    """Serves a folder on the loopback interface. Yields its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


class Browser:
    """A headless browser without network but the loopback's.

    Args:
        command: The browser.
        profile: A folder for its files.
        options: Further options of its command line.
    """

    def __init__(self, command: str, profile: Path, *options: str) -> None:
        self._net_log = profile / "net-log.json"
        self._command = [
            command,
            *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
            *("--disable-background-networking", "--disable-component-update", f"--user-data-dir={profile}"),
            *("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--enable-logging=stderr"),
            f"--log-net-log={self._net_log}",
            *options,
        ]

    def open(self, url: str, timeout: float = 120) -> tuple[str, list[str]]:
        """Opens a page.

        Args:
            url: The page.
            timeout: The maximum number of seconds that it may take.

        Returns:
            Its DOM, and its problems: console messages, and requests to the outside.
        """
        command = [*self._command, "--dump-dom", url]
        found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=timeout)
        # A line per event. Requests of the browser itself have no origin.
        lines = [line for line in self._net_log.read_text().splitlines() if '"initiator":"http' in line]
        requested = re.findall(r'"url":"(https?://(?!127\.0\.0\.1)[^"]*)"', "\n".join(lines))
        return found.stdout, [*re.findall(r".*CONSOLE.*", found.stderr), *requested]

    def save_screenshot(self, url: str, path: Path, window: str) -> None:
        """Saves a picture of a page.

        Args:
            url: The page.
            path: The picture, as PNG.
            window: Width and height of the window in pixels, such as `1280,860`.
        """
        options = ["--hide-scrollbars", f"--window-size={window}", f"--screenshot={path}"]
        subprocess.run([*self._command, *options, url], stderr=subprocess.DEVNULL, check=True)
