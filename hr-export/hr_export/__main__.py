"""Runs the command `hr-export`."""

import sys

from hr_export.cli import main

if __name__ == "__main__":
    sys.exit(main())
