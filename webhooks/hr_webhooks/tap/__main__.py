"""The executable, and `python -m hr_webhooks.tap`."""

from __future__ import annotations


def main() -> None:
    """Runs the tap."""
    from hr_webhooks.tap.tap import TapHrWebhooks  # noqa: PLC0415 - the other commands do not need the SDK

    TapHrWebhooks.cli()


if __name__ == "__main__":
    main()
