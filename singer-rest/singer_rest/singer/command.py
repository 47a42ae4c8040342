"""The command line: every error is reported as a sentence with exit code 1, without traceback or setting values."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
from abc import abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import click
from singer_sdk import Tap
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.helpers._util import load_json
from singer_sdk.plugin_base import SingerCommand
from singer_sdk.singerlib import Catalog

from singer_rest.errors import RunError, describe_error, output_sentence
from singer_rest.singer.memory import reduce_gc_frequency, use_single_malloc_arena
from singer_rest.state.merge_states import merge_states as merge_part_states

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Self

    from singer_rest.record.recorder import Recorder


class Command(SingerCommand):
    """A tap's command."""

    def main(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        """Runs the command."""
        use_single_malloc_arena()
        reduce_gc_frequency()
        try:
            return super().main(*args, **kwargs)
        except SystemExit as exit_:
            error = _flush_stdout()
            if not error or exit_.code:  # after a signal the loader may have ended too
                raise
            sentences = [output_sentence(error)]
        except ConfigValidationError as error:
            sentences = error.errors or [describe_error(error)]
        except Exception as error:  # noqa: BLE001 - the last chance to report it as a sentence
            sentences = [describe_error(error)]
        for text in sentences:
            self.logger.error("%s", text)
        _flush_stdout()
        sys.exit(1)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401
        """Runs the callback with warnings in the log. `main` handles its errors."""
        logging.captureWarnings(capture=True)
        return click.Command.invoke(self, ctx)


ReportKind = Literal["doctor", "plan", "offline plan"]
FILE = click.Path(path_type=Path, dir_okay=False)
DOSSIER_OPTIONS = (
    click.Option(
        ["--dossier"],
        multiple=True,
        metavar="FILE",
        type=FILE,
        help="Write what would be loaded, and what happens to it first: .html, .yaml or .csv. No data is read.",
    ),
    click.Option(["--answers"], metavar="FILE", type=FILE, help="Fill the dossier with the answers of a YAML file."),
    click.Option(["--since"], metavar="FILE", type=FILE, help="Show in the dossier what has changed since this one."),
    click.Option(["--language"], type=click.Choice(["en", "de"]), help="Language of the dossier's page (en)."),
    click.Option(
        ["--check-agreement"],
        metavar="FILE",
        type=FILE,
        help="Check that a run would load no more than this dossier (.yaml) says.",
    ),
)


class Report(NamedTuple):
    """A report on the tap that is written to stdout instead of messages.

    Args:
        content: The report as JSON.
        text: The report as text.
        succeeded: Whether the exit code is 0.
    """

    content: dict[str, Any]
    text: str
    succeeded: bool


class DossierOptions(NamedTuple):
    """What `--dossier` and `--check-agreement` are to do.

    Args:
        files: The files to write.
        agreement: The agreement to check.
        answers: The file with people's answers.
        since: The earlier dossier.
        language: The language of the page.
        is_offline: Whether to send no request.
    """

    files: Sequence[Path] = ()
    agreement: Path | None = None
    answers: Path | None = None
    since: Path | None = None
    language: str = "en"
    is_offline: bool = False


class CommandTap(Tap):
    """A tap whose command line reports errors as sentences."""

    recorder: ClassVar[Recorder | None] = None
    """Records responses, if the command line says so."""

    @abstractmethod
    def make_report(self, kind: ReportKind, state: dict[str, Any]) -> Report:
        """Creates a report."""

    @abstractmethod
    def make_pseudonyms(self, texts: Sequence[str]) -> list[str]:
        """Returns the pseudonyms of e-mail addresses and ids."""

    @abstractmethod
    def make_dossier(self, options: DossierOptions) -> Report:
        """Writes the dossier, or checks an agreement."""

    @classmethod
    def get_singer_command(cls) -> click.Command:
        """Returns the tap's command line."""
        command = super().get_singer_command()
        for option in command.params:
            if option.name == "about_format" and isinstance(option, click.Option):
                option.help = "Output of --about (json, markdown) or of the reports (json); text by default."
        command.params += [
            click.Option(
                ["--doctor"],
                is_flag=True,
                help="Check the connection, and what the credential may read, with one request per stream.",
            ),
            click.Option(
                ["--plan"],
                is_flag=True,
                help="Estimate the requests, rows and minutes of a full run and, with --state, of an incremental one.",
            ),
            click.Option(["--offline"], is_flag=True, help="Let --plan or --dossier send no request."),
            *DOSSIER_OPTIONS,
            click.Option(
                ["--record"],
                callback=cls.cb_record,
                expose_value=False,
                is_eager=True,  # --test runs as it is parsed
                metavar="DIR",
                type=click.Path(path_type=Path),
                help="Write the shapes of the responses to a new folder, with every value replaced.",
            ),
            click.Option(
                ["--pseudonym"],
                multiple=True,
                metavar="EMAIL|KIND:ID",
                help="Print the pseudonym of a work e-mail or of an id such as employee:123; - reads lines from stdin.",
            ),
            click.Option(
                ["--only"],
                multiple=True,
                metavar="STREAM=ID,ID",
                help="Read only these records again, with those of child streams. The state stays as it is.",
            ),
            click.Option(
                ["--confirm-deleted"],
                multiple=True,
                metavar="STREAM=ID,ID",
                help="Read these records again, too, and mark those as deleted that the vendor no longer knows.",
            ),
            click.Option(
                ["--slice", "part"],
                metavar="N/M",
                help="Read one of several parts of everything, such as 3/8. Each has a state of its own.",
            ),
            click.Option(
                ["--merge-states"],
                is_flag=True,
                help="Print the state from which runs go on after all parts were read, whose states are given.",
            ),
            click.Argument(["part_states"], metavar="[STATE...]", nargs=-1, type=FILE),
        ]
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
        """Reads the config files."""
        try:
            return super().cb_config(ctx, param, value)
        except FileNotFoundError:
            raise RunError("The file given with --config does not exist.") from None
        except (OSError, ValueError, TypeError):
            raise RunError("The file given with --config cannot be read as JSON. Check its path and content.") from None

    @classmethod
    def cb_discover(cls, ctx: click.Context, param: click.Option, value: bool) -> None:  # noqa: FBT001 - the SDK's signature
        """Writes the catalog."""
        try:
            super().cb_discover(ctx, param, value)
        except OSError as error:  # click would not report a closed pipe
            raise RunError(output_sentence(error)) from None

    @classmethod
    def cb_record(cls, ctx: click.Context, param: click.Option, value: Path | None) -> None:  # noqa: ARG003 - click's
        """Starts to record responses, until the command ends."""
        if value is None or ctx.resilient_parsing:
            return
        from singer_rest.record.recorder import Recorder  # noqa: PLC0415 - few runs need it

        cls.recorder = recorder = Recorder(value, cls.name)

        def end() -> None:
            cls.recorder = None
            recorder.close()

        ctx.call_on_close(end)

    @classmethod
    def invoke(
        cls,
        *,
        state: IO[str] | None = None,
        catalog: IO[str] | None = None,
        doctor: bool = False,
        plan: bool = False,
        offline: bool = False,
        only: tuple[str, ...] = (),
        confirm_deleted: tuple[str, ...] = (),
        part: str | None = None,
        merge_states: bool = False,
        part_states: tuple[Path, ...] = (),
        pseudonym: tuple[str, ...] = (),
        dossier: tuple[Path, ...] = (),
        check_agreement: Path | None = None,
        answers: Path | None = None,
        since: Path | None = None,
        language: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Runs the tap, or writes a report or pseudonyms."""
        reports = {"doctor": doctor, "plan": plan, "dossier": dossier, "check-agreement": check_agreement}
        asked = [f"--{name}" for name, value in {**reports, "merge-states": merge_states}.items() if value]
        if len(asked) > 1:
            raise click.UsageError(f"{' and '.join(asked)} cannot be used together.")
        if part_states and not merge_states:
            raise click.UsageError("Files can only be given with --merge-states.")
        if offline and not (plan or dossier or check_agreement):
            raise click.UsageError("--offline can only be used with --plan, --dossier or --check-agreement.")
        if (answers or since or language) and not dossier:
            raise click.UsageError("--answers, --since and --language can only be used with --dossier.")
        cls._set_extent(
            kwargs["config"], asked, only=" ".join(only), confirm_deleted=" ".join(confirm_deleted), slice=part
        )
        if merge_states:
            cls._write_merged_state(part_states)
        elif pseudonym:
            cls._write_pseudonyms(pseudonym, kwargs["config"])
        elif (dossier or check_agreement) and not kwargs.get("about"):
            options = DossierOptions(dossier, check_agreement, answers, since, language or "en", offline)
            # Credentials are not needed.
            tap = cls._tap_for_report(checked_catalog(catalog), validate_config=False, **kwargs)
            cls._write_report(tap.make_dossier(options), **kwargs)
        elif (doctor or plan) and not kwargs.get("about"):
            kind: ReportKind = "doctor" if doctor else "offline plan" if offline else "plan"
            state = checked_state(state)
            tap = cls._tap_for_report(checked_catalog(catalog), validate_config=True, **kwargs)
            cls._write_report(tap.make_report(kind, load_json(state.read()) if state else {}), **kwargs)
        else:
            super().invoke(state=checked_state(state), catalog=checked_catalog(catalog), **kwargs)

    @classmethod
    def _set_extent(cls, config: Any, reports: Sequence[str], **settings: str | None) -> None:  # noqa: ANN401 - the SDK's
        """Sets the settings that say what a run reads to what the command line gives."""
        for name, value in settings.items():
            option = f"--{name.replace('_', '-')}"
            if value and reports:
                raise click.UsageError(f"{option} cannot be used with {reports[0]}.")
            if value and config.parse_env and name in cls._env_var_config:
                raise click.UsageError(f"{option} cannot be used while the setting `{name}` is in the environment.")
            if value:
                config.config[name] = value

    @classmethod
    def _write_merged_state(cls, files: Sequence[Path]) -> None:
        if not files:
            raise click.UsageError("Pass the states of all parts: --merge-states part1.json part2.json")
        states = {str(file): _read_state(file) for file in files}
        merged, due = merge_part_states(
            {name: state.get("singer_state", state) for name, state in states.items()}, cls.name
        )
        if due:
            cls.logger.warning(
                "The next run reads these streams in full, because parts were incomplete, or the default window moved "
                "between their starts: %s.",
                ", ".join(due),
            )
        is_meltano = all("singer_state" in state for state in states.values())
        click.echo(json.dumps({"singer_state": merged} if is_meltano else merged))

    @classmethod
    def _write_pseudonyms(cls, names: tuple[str, ...], config: Any) -> None:  # noqa: ANN401 - the SDK's
        texts = [line.strip() for name in names for line in (sys.stdin if name == "-" else [name])]
        tap = cls(config=config.config, parse_env_config=config.parse_env, setup_mapper=False, validate_config=False)
        for found in tap.make_pseudonyms([text for text in texts if text]):
            click.echo(found)

    @classmethod
    def _tap_for_report(cls, catalog: IO[str] | None, *, validate_config: bool, **kwargs: Any) -> Self:
        if kwargs["about_format"] not in {None, "json"}:
            raise click.UsageError("Supported formats are text and json.")
        return cls(
            config=kwargs["config"].config,
            catalog=load_json(catalog.read()) if catalog else None,
            parse_env_config=kwargs["config"].parse_env,
            validate_config=validate_config,
            setup_mapper=False,  # the report says why the streams cannot be discovered
        )

    @classmethod
    def _write_report(cls, report: Report, **kwargs: Any) -> None:
        click.echo(json.dumps(report.content, indent=2) if kwargs["about_format"] else report.text)
        sys.exit(0 if report.succeeded else 1)


def checked_state(file: IO[str] | None) -> IO[str] | None:
    """Checks that a state file holds a JSON object. `meltano state get` writes the state as a member of one."""
    if file is None:
        return None
    text = _json_object(file, "--state")
    state = load_json(text)
    return io.StringIO(json.dumps(state["singer_state"]) if state.keys() == {"singer_state"} else text)


def _read_state(file: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        state = load_json(file.read_text(encoding="utf-8"))
        if isinstance(state, dict) and isinstance(state.get("singer_state", state), dict):
            return state
    raise RunError(f"{file} cannot be read as a state. Pass the states of all parts as JSON files.")


def checked_catalog(file: IO[str] | None) -> IO[str] | None:
    """Checks that a catalog file holds a Singer catalog."""
    if file is None:
        return None
    text = _json_object(file, "--catalog")
    try:
        Catalog.from_dict(load_json(text))
    except Exception:  # noqa: BLE001 - the SDK raises errors of many types
        raise RunError("The file given with --catalog is not a Singer catalog. Create one with --discover.") from None
    return io.StringIO(text)


def _json_object(file: IO[str], option: str) -> str:
    try:
        text = file.read()
        if isinstance(load_json(text), dict):
            return text
    except ValueError:
        pass
    raise RunError(f"The file given with {option} is not a JSON object. Pass another one, or none to start over.")


def _flush_stdout() -> OSError | None:
    """Flushes stdout. Returns the error if that fails."""
    try:
        if sys.stdout:
            sys.stdout.flush()
    except OSError as error:
        # Python would try to flush the buffer again at exit and print a traceback.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return error
    return None
