"""Runs the command `hr-report`."""

import sys

from hr_report.cli import main

if __name__ == "__main__":
    sys.exit(main())
