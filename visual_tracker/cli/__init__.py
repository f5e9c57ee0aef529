"""The command line, `visual-tracker`: one module a command, imported only when it is called."""

from __future__ import annotations

import importlib
import sys

import click

from visual_tracker import __version__
from visual_tracker.boxes import BoxError
from visual_tracker.display import DisplayError
from visual_tracker.images import ImageError
from visual_tracker.parameters import ParameterError
from visual_tracker.recording import RecordingError
from visual_tracker.sources import SourceError
from visual_tracker.trackers import TrackerUnavailableError

#: command -> one line of help; the command itself is `visual_tracker.cli.<command>.command`
COMMANDS = {
    "benchmark": "Measure how fast trackers are on this machine.",
    "calibrate": "Fit the confidence of dasiamrpn to weights.",
    "evaluate": "Run trackers on a dataset and measure how good and how fast they are.",
    "export": "Write a network as ONNX or TorchScript, for other runtimes.",
    "pack": "Put training data into one small file.",
    "track": "Track a target through a video, an image folder or a camera.",
    "train": "Train the networks of the deep trackers.",
    "trackers": "List the trackers and whether they can run here.",
    "trax": "Serve a tracker over TraX, for the VOT toolkit.",
}

#: errors of the user's input: one line on stderr and exit code 2, never a traceback
USER_ERRORS = (
    BoxError,
    DisplayError,
    ImageError,
    ParameterError,
    RecordingError,
    SourceError,
    TrackerUnavailableError,
)


class _LazyGroup(click.Group):
    """Lists commands without importing them, and turns the user's errors into one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"visual_tracker.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except USER_ERRORS as error:
            message = str(error)
        except OSError as error:
            # such as an output folder that cannot be written; of others click knows more
            if error.filename is None:
                raise
            message = f"{error.filename}: {error.strerror}"
        click.echo(f"visual-tracker: error: {message}", err=True)
        sys.exit(2)


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="visual-tracker")
def main() -> None:
    """Follow a target through video, given its first box.

    \b
    Examples:
      visual-tracker trackers
      visual-tracker track film.mp4 --box 73,36,50,61 --output tracked.mp4
    """
