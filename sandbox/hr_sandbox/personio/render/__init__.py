"""Renders the company's records as Personio does."""
