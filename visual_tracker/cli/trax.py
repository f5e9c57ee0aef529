"""`visual-tracker trax`: a tracker for the VOT toolkit."""

from __future__ import annotations

import click

from visual_tracker.adapters.trax import serve
from visual_tracker.cli.options import tracker_from_options, tracker_options
from visual_tracker.trackers import DEFAULT_TRACKER


@click.command()
@tracker_options(default=DEFAULT_TRACKER)
def command(tracker: str, device: str, settings: tuple[str, ...]) -> None:
    """Serve a tracker over TraX, for the VOT toolkit to start (extra 'vot').

    The toolkit's trackers.ini needs an entry with "protocol = trax" and the command.

    \b
    Examples:
      command = visual-tracker trax --tracker csrt
      command = visual-tracker trax --tracker csrt --set padding=4
    """
    serve(tracker_from_options(tracker, device, settings))
