"""The command line: every failure is a sentence and exit code 1, without a traceback or a setting's value."""

from __future__ import annotations

import io
import logging
import os
import sys
from typing import IO, Any

import click
from singer_sdk import Tap
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.helpers._util import load_json
from singer_sdk.plugin_base import SingerCommand
from singer_sdk.singerlib import Catalog

from singer_rest.errors import RunError, explain, output_sentence
from singer_rest.singer.memory import share_heaps


class Command(SingerCommand):
    """A tap's command."""

    def main(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        """Run the command."""
        share_heaps()
        try:
            return super().main(*args, **kwargs)
        except SystemExit as end:
            error = _leave_stdout()
            if not error or end.code:  # where a signal has stopped it, the loader may be gone too
                raise
            sentences = [output_sentence(error)]
        except ConfigValidationError as error:
            sentences = error.errors or [explain(error)]
        except Exception as error:  # noqa: BLE001 - the last place that can turn it into a sentence
            sentences = [explain(error)]
        for text in sentences:
            self.logger.error("%s", text)
        _leave_stdout()
        sys.exit(1)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401
        """Run the callback with warnings in the log; `main` answers for what it raises."""
        logging.captureWarnings(capture=True)
        return click.Command.invoke(self, ctx)


class CommandTap(Tap):
    """A tap whose command line answers with sentences."""

    @classmethod
    def get_singer_command(cls) -> click.Command:
        """The tap's command line."""
        command = super().get_singer_command()
        return Command(
            name=command.name,
            callback=command.callback,
            context_settings=command.context_settings,
            params=command.params,
            help=command.help,
            logger=cls.logger,
        )

    @classmethod
    def cb_config(cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]) -> Any:  # noqa: ANN401
        """Read the config files."""
        try:
            return super().cb_config(ctx, param, value)
        except (OSError, ValueError, TypeError):
            raise RunError("The file given with --config cannot be read as JSON. Check its path and content.") from None

    @classmethod
    def cb_discover(cls, ctx: click.Context, param: click.Option, value: bool) -> None:  # noqa: FBT001 - as the SDK calls
        """Write the catalog."""
        try:
            super().cb_discover(ctx, param, value)
        except OSError as error:  # of a closed pipe, click would not tell
            raise RunError(output_sentence(error)) from None

    @classmethod
    def invoke(cls, *, state: IO[str] | None = None, catalog: IO[str] | None = None, **kwargs: Any) -> None:
        """Run the tap."""
        super().invoke(state=checked_state(state), catalog=checked_catalog(catalog), **kwargs)


def checked_state(file: IO[str] | None) -> IO[str] | None:
    """Refuse a state file that is no JSON object."""
    return file and io.StringIO(_json_object(file, "--state"))


def checked_catalog(file: IO[str] | None) -> IO[str] | None:
    """Refuse a catalog file that is no Singer catalog."""
    if file is None:
        return None
    text = _json_object(file, "--catalog")
    try:
        Catalog.from_dict(load_json(text))
    except Exception:  # noqa: BLE001 - whatever the SDK stumbles over
        raise RunError("The file given with --catalog is no Singer catalog. Make one with --discover.") from None
    return io.StringIO(text)


def _json_object(file: IO[str], option: str) -> str:
    try:
        text = file.read()
        if isinstance(load_json(text), dict):
            return text
    except ValueError:
        pass
    raise RunError(f"The file given with {option} is not a JSON object. Give another, or none to start anew.")


def _leave_stdout() -> OSError | None:
    """Write what is left, and tell if it cannot be written."""
    try:
        if sys.stdout:
            sys.stdout.flush()
    except OSError as error:
        # What is in the buffer would fail once more, with a traceback, as Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return error
    return None
