"""The executable, and `python -m tap_cornerstone`."""

from __future__ import annotations

import gc


def main() -> None:
    """Runs the tap. Nothing that the imports create is freed, so looking for garbage among it only takes time."""
    gc.disable()
    from tap_cornerstone.tap import TapCornerstone  # noqa: PLC0415 - see above

    gc.freeze()
    gc.enable()
    TapCornerstone.cli()


if __name__ == "__main__":
    main()
