"""Runs a pipeline for the records that events name."""
