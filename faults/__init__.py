"""Fault-injection tests of the taps and the loader: killed runs, faulty responses, mutated values."""
