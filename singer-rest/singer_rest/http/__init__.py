"""Requests to the vendor: authentication, rate limits, retries, pagination."""
