"""Draws the README's pictures: of the demo and the doctor in a terminal, and of the site in a headless browser.

make screenshots
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from hr_sandbox.testing import Sandbox
from rich.console import Console
from rich.text import Text

from docsite.browser import Browser, find_browser

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
PICTURES = ROOT / "docs" / "images"
SITE = ROOT / "output" / "site"
PAGE = "reference/tap-personio/persons.html"
COLUMNS = 137
"""Width of the terminal, in characters."""
DOCTOR_LINES = 32
"""The lines of the doctor's report to show: the first ones."""
LACKING = ("personio:compensations:read", "documents:read")
"""Permissions that the credential of the doctor's picture lacks."""
WINDOW = "1280,860"
"""Size of the browser's window, in pixels."""


def draw_terminal(name: str, command: str, output: str) -> None:
    """Writes a picture of a command and its output as SVG."""
    with Path(os.devnull).open("w") as nowhere:
        console = Console(width=COLUMNS, record=True, file=nowhere, force_terminal=True)
        console.print(Text(f"$ {command}", style="bold"))
        console.print(Text(output.rstrip()))
        console.save_svg(str(PICTURES / f"{name}.svg"), title=command)


def draw_demo() -> None:
    """Draws the output of the demo."""
    run = subprocess.run([BIN / "python", "demo.py"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    draw_terminal("demo", "make demo", run.stdout)


def draw_doctor() -> None:
    """Draws the first lines of the doctor's report for a credential that lacks permissions."""
    import demo  # noqa: PLC0415 - a script beside this package

    with tempfile.TemporaryDirectory() as folder, demo.run_sandbox() as url:
        for permission in LACKING:
            Sandbox(url).control("revoke", vendor="personio", permission=permission)
        settings = {name.lower(): value.format(url=url) for name, value in demo.VENDORS[0].settings.items()}
        config = Path(folder) / "config.json"
        config.write_text(json.dumps(settings))
        run = subprocess.run(
            [BIN / "tap-personio", "--config", config, "--doctor"], stdout=subprocess.PIPE, text=True, check=True
        )
    lines = run.stdout.splitlines()
    more = [f"... {len(lines) - DOCTOR_LINES} more lines"] if len(lines) > DOCTOR_LINES else []
    draw_terminal("doctor", "tap-personio --config config.json --doctor", "\n".join([*lines[:DOCTOR_LINES], *more]))


def draw_site() -> None:
    """Draws a page of the site, which `make site` has built."""
    command = find_browser()
    if command is None:
        sys.exit("Install Chromium to draw the site.")
    with tempfile.TemporaryDirectory() as profile:
        Browser(command, Path(profile)).save_screenshot((SITE / PAGE).as_uri(), PICTURES / "site.png", WINDOW)


def main() -> None:
    """Draws all pictures, or those that are named as arguments: demo, doctor, site."""
    PICTURES.mkdir(exist_ok=True)
    draws = {"demo": draw_demo, "doctor": draw_doctor, "site": draw_site}
    for name in sys.argv[1:] or draws:
        draws[name]()


if __name__ == "__main__":
    main()
