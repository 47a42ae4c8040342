"""Taps start without what they do not need; `make bench` measures how long that takes."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

RARELY_NEEDED = {"difflib", "filelock", "http.server", "tomlkit", "webbrowser"}


@pytest.mark.slow
@pytest.mark.parametrize("module", ["tap_personio", "tap_factorial", "tap_cornerstone"])
def test_discovery_imports_nothing_that_only_other_runs_need(module: str) -> None:
    command = [sys.executable, "-X", "importtime", "-m", module, "--discover"]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    imported = set(re.findall(r"^import time:.*\| +(\S+)$", found.stderr, re.MULTILINE))
    assert "singer_sdk.tap_base" in imported
    assert not imported & RARELY_NEEDED
