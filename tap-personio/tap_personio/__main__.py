"""The executable, and `python -m tap_personio`."""

from __future__ import annotations

import gc


def main() -> None:
    """Runs the tap. Nothing that the imports create is freed, so looking for garbage among it only takes time."""
    gc.disable()
    from tap_personio.tap import TapPersonio  # noqa: PLC0415 - see above

    gc.freeze()
    gc.enable()
    TapPersonio.cli()


if __name__ == "__main__":
    main()
