"""The subcommands `target-duckdb forget` and `target-duckdb retain`."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING, Any

import click

from target_duckdb.command import error_message
from target_duckdb.erasure.forget import forget
from target_duckdb.erasure.report import write_private_file
from target_duckdb.erasure.retention import retain
from target_duckdb.plugin import ConfiguredTarget

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from target_duckdb.erasure.report import Report

_SIGNAL_EXIT = 128


def _stop(number: int, _: FrameType | None) -> None:
    raise SystemExit(_SIGNAL_EXIT + number)


def _run(config: Any, receipt: str | None, run: Callable[[ConfiguredTarget], Report]) -> None:  # noqa: ANN401 - of the SDK
    """Runs a command, and prints its report or one line about its error."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    try:
        plugin = ConfiguredTarget(config=config.config, parse_env_config=config.parse_env)
        report = run(plugin)
        click.echo("\n".join(report.lines()))
        if receipt:
            write_private_file(receipt, [report.to_json()])
    except Exception as error:  # noqa: BLE001 - a traceback could contain data
        ConfiguredTarget.logger.error(error_message(error))
        sys.exit(1)


def _options(command: click.Command) -> click.Command:
    command.params += [
        click.Option(["--dry-run"], is_flag=True, help="Show what would be removed, and change nothing."),
        click.Option(["--receipt"], metavar="FILE", help="Write what was removed to a new file, as JSON."),
        click.Option(
            ["--config"],
            multiple=True,
            is_eager=True,
            callback=ConfiguredTarget.cb_config,
            help="The loader's configuration file, or 'ENV' for environment variables.",
        ),
    ]
    return command


def _read_person(given: str) -> str:
    """Returns the person that was given, or the first line of the input for `-`."""
    return sys.stdin.readline().strip() if given == "-" else given


def _forget(
    person: str,
    export: str | None,
    config: Any,  # noqa: ANN401 - of the SDK
    receipt: str | None,
    *,
    several_ids: bool,
    dry_run: bool,
) -> None:
    def run(plugin: ConfiguredTarget) -> Report:
        return forget(plugin, _read_person(person), dry_run=dry_run, export=export, several_ids=several_ids)

    _run(config, receipt, run)


def _retain(config: Any, receipt: str | None, *, dry_run: bool) -> None:  # noqa: ANN401
    _run(config, receipt, lambda plugin: retain(plugin, dry_run=dry_run))


def make_group() -> click.Group:
    """Returns the commands."""
    person = click.Option(
        ["--person"],
        required=True,
        help="An e-mail address, an id, SCHEMA.KIND:ID, or a pseudonym of one of them; - reads it from the input.",
    )
    export = click.Option(["--export"], metavar="FILE", help="Write the rows about the person to a new private file.")
    several_ids = click.Option(
        ["--several-ids"],
        is_flag=True,
        help="Several ids of one kind that have the same work address are all of this person.",
    )
    group = click.Group("target-duckdb")
    group.add_command(
        _options(
            click.Command(
                "forget",
                callback=_forget,
                params=[person, export, several_ids],
                help="Remove a person from the DuckDB file, also from its free blocks.",
            )
        )
    )
    group.add_command(
        _options(
            click.Command(
                "retain", callback=_retain, help="Remove what the setting `retention` no longer allows to keep."
            )
        )
    )
    return group
