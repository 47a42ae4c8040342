"""Benchmarks: the taps and the loader against their peers, with the results in `docs/performance.md`."""
