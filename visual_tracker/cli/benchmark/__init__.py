"""`visual-tracker benchmark`: how fast trackers and node are on this machine."""

from __future__ import annotations

import click

from visual_tracker.cli.benchmark.engines import engines_command
from visual_tracker.cli.benchmark.node import node_command
from visual_tracker.cli.benchmark.soak import soak_command
from visual_tracker.cli.benchmark.speed import speed_command
from visual_tracker.cli.benchmark.targets import targets_command


@click.group()
def command() -> None:
    """Measure speed and load on this machine.

    \b
    Examples:
      visual-tracker benchmark speed
      visual-tracker benchmark speed --tracker csrt --tracker kcf --size 640x480
      visual-tracker benchmark engines --dataset path/to/OTB
      visual-tracker benchmark node --tracker csrt --rate 30
      visual-tracker benchmark soak --minutes 60
    """


command.add_command(speed_command)
command.add_command(engines_command)
command.add_command(node_command)
command.add_command(soak_command)
command.add_command(targets_command)
