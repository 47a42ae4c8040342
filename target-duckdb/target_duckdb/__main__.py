"""`target-duckdb`, and `python -m target_duckdb`."""

from __future__ import annotations

import gc
import os
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType


def _stop(number: int, _: FrameType | None) -> None:
    os.write(sys.stderr.fileno(), f"target-duckdb was stopped by signal {number} before it started.\n".encode())
    os._exit(128 + number)


def main() -> None:
    """Runs the command. Handles signals before the imports, which take a second."""
    signal.signal(signal.SIGINT, _stop)
    signal.signal(signal.SIGTERM, _stop)
    if sys.argv[1:2] in (["forget"], ["retain"]):
        from target_duckdb.erasure.commands import make_group  # noqa: PLC0415 - loading does not need it

        make_group().main(prog_name="target-duckdb")
        return
    gc.disable()  # the imports create no garbage, and looking for it takes time
    from target_duckdb.target import TargetDuckDB  # noqa: PLC0415

    gc.enable()
    TargetDuckDB.cli()


if __name__ == "__main__":
    main()
