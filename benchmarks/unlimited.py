"""Runs tap-personio without the rate limits that Personio documents, since the benchmarks' server has none.

    python -m benchmarks.unlimited --config ...

The taps learn from a response's headers that a limit is higher than documented, but Personio's v1 API has no such
headers.
"""

from __future__ import annotations

import gc

from tap_personio.__main__ import main

if __name__ == "__main__":
    gc.disable()  # as `main` does before it imports the tap
    from tap_personio.tap import TapPersonio

    TapPersonio.rates = {}
    main()
