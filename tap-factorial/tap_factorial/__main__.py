"""Runs the tap or the login."""

from __future__ import annotations

import gc
import sys


def main() -> None:
    """Returns the executable: `tap-factorial login` logs in, anything else runs the tap.

    Looking for garbage among what the imports create takes time and finds none.
    """
    if sys.argv[1:2] == ["login"]:
        from tap_factorial.login import login  # noqa: PLC0415 - a run needs no login, and the other way round

        login(sys.argv[2:], prog_name="tap-factorial login")
        return
    gc.disable()  # until the command begins
    from tap_factorial.tap import TapFactorial  # noqa: PLC0415

    TapFactorial.cli()


if __name__ == "__main__":
    main()
