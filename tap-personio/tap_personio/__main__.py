"""The executable, and `python -m tap_personio`."""

from __future__ import annotations

import gc


def main() -> None:
    """Runs the tap, without looking for garbage among what the imports create: that takes time and finds none."""
    gc.disable()  # until the command begins
    from tap_personio.tap import TapPersonio  # noqa: PLC0415 - see above

    TapPersonio.cli()


if __name__ == "__main__":
    main()
