"""`python -m singer_rest.record check DIR`: reviews a recording before it is sent."""

from __future__ import annotations

from pathlib import Path

import click

from singer_rest.record.review import review_recording


@click.group(help="Recordings of a vendor's responses, which `--record` of a tap writes.")
def main() -> None:
    """Runs the command."""


@main.command(help="Review a recording before you send it: its structure, and each name and value that can be read.")
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
def check(folder: Path) -> None:
    """Prints a review. The exit code is 1 if there is a problem."""
    found = review_recording(folder)
    for problem in found.problems:
        click.echo(problem)
    if not found.files:
        click.echo("The folder holds no recorded response.")
    for title, counts in (("Names", found.names), ("Values", found.values)):
        click.echo(f"\n{title} that can be read. All others were replaced. Look for any that your company defines:")
        click.echo("  " + (", ".join(sorted(counts)) or "none"))
    click.echo(f"\n{found.files} responses, {len(found.problems)} problems.")
    if found.problems or not found.files:
        raise SystemExit(1)


if __name__ == "__main__":
    main(prog_name="python -m singer_rest.record")
