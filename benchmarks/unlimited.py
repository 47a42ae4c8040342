"""Runs tap-personio without the rate limits that Personio documents, since the benchmarks' server has none.

    python -m benchmarks.unlimited --config ...

The taps learn from a response's headers that a limit is higher than documented, but Personio's v1 API has no such
headers.
"""

from __future__ import annotations

from tap_personio.tap import TapPersonio

if __name__ == "__main__":
    TapPersonio.rates = {}
    TapPersonio.cli()
