"""`visual-tracker trackers`: what there is, and whether it runs here."""

from __future__ import annotations

import click
from rich.table import Table

from visual_tracker.console import plain_console
from visual_tracker.trackers import available_trackers, tracker_class


@click.command()
@click.option("--verbose", "-v", is_flag=True, help="List every parameter too.")
def command(verbose: bool) -> None:
    """List the trackers, one line each, and whether they can run here.

    \b
    Examples:
      visual-tracker trackers
      visual-tracker trackers --verbose
    """
    console = plain_console()
    table = Table(box=None)
    for heading in ("tracker", "usable here", "what it is"):
        table.add_column(heading)
    for info in available_trackers():
        usable = "yes" if info.usable else f"no: {info.unavailable_reason}"
        table.add_row(info.name, usable, info.summary)
    console.print(table)
    if verbose:
        for info in available_trackers():
            console.print(_parameter_table(info.name))


def _parameter_table(name: str) -> Table:
    table = Table(box=None, title=f"parameters of {name}", title_justify="left")
    for heading in ("name", "default", "values", "applies", "what it does"):
        table.add_column(heading)
    for spec in tracker_class(name).parameters_class.specs():
        table.add_row(
            spec.name,
            repr(spec.default),
            spec.range_text(),
            spec.applies.value,
            spec.description,
        )
    return table
