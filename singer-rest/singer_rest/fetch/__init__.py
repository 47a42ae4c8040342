"""Fetches the pages of a run's streams concurrently, and tracks what they cover."""
