"""The command line: `python -m faults PART`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from faults import days, killer, markers, mutator, orchestrated, pairs, proxy
from faults.trials import Book, Options
from faults.vendors import VENDORS

PARTS = {
    "days": days.run,
    "killer": killer.run,
    "mutator": mutator.run,
    "meltano": orchestrated.run,
    "markers": markers.run,
    "pairs": pairs.run,
    "proxy": proxy.run,
}
SEED = 7


def main() -> int:
    """Make the trials of a part; the exit code says whether each held."""
    parser = argparse.ArgumentParser(prog="python -m faults", description=__doc__)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--vendor", choices=VENDORS, action="append")
    parser.add_argument("--trial", type=int)
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--results", type=Path)
    given = parser.parse_args()
    book = Book(given.seed, given.results)
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        options = Options(given.seed, tuple(given.vendor or VENDORS), Path(folder), given.trial, given.share)
        PARTS[given.part](options, book)
    return int(bool(book.failures))


if __name__ == "__main__":
    sys.exit(main())
