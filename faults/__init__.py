"""Trials of the whole: runs that are killed, answers that are broken, values that nobody expects, days that pass."""
