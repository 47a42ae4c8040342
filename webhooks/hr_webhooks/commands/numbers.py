"""Numbers on the command line."""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def number_of(unit: str, most: float) -> Callable[[str], float]:
    """Returns the `type` of an argument that is a number from 0 to `most`, such as of seconds."""
    return partial(_parse, unit=unit, most=most)


def _parse(text: str, *, unit: str, most: float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1
    if not 0 <= number <= most:  # nor is NaN
        raise argparse.ArgumentTypeError(f"expected a number of {unit} from 0 to {most:,}")
    return number
