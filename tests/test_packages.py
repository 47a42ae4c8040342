"""Each workspace member builds a complete distribution."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    "member",
    [
        "singer-rest",
        "tap-personio",
        "tap-factorial",
        "tap-cornerstone",
        "target-duckdb",
        "sandbox",
        "webhooks",
        "hr-report",
        "hr-export",
    ],
)
def test_wheels_contain_every_file(member: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT / member, check=True, capture_output=True)
    (wheel,) = tmp_path.iterdir()
    (package,) = (init.parent for init in (ROOT / member).glob("*/__init__.py"))
    files = {
        str(path.relative_to(ROOT / member))
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    packed = set(zipfile.ZipFile(wheel).namelist())
    assert files <= packed
    assert any(path.endswith("py.typed") for path in packed)
