"""Runs the command `hr-webhooks`."""

import sys

from hr_webhooks.cli import main

if __name__ == "__main__":
    sys.exit(main())
