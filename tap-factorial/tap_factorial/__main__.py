"""Runs the tap or the login."""

from __future__ import annotations

import sys

from tap_factorial.login import login


def main() -> None:
    """The executable: `tap-factorial login` logs in, anything else runs the tap."""
    if sys.argv[1:2] == ["login"]:
        login(sys.argv[2:], prog_name="tap-factorial login")
    else:
        from tap_factorial.tap import TapFactorial  # noqa: PLC0415 - a login needs no streams

        TapFactorial.cli()


if __name__ == "__main__":
    main()
