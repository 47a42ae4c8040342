"""Run the tap as a module."""

from tap_personio.tap import TapPersonio

TapPersonio.cli()
