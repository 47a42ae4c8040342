"""Run the tap as a module."""

from tap_cornerstone.tap import TapCornerstone

TapCornerstone.cli()
