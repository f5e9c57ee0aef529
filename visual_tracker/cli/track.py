"""`visual-tracker track`: one target through a video, a folder or a camera."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import click
from rich.markup import escape
from rich.progress import MofNCompleteColumn, Progress

from visual_tracker import display
from visual_tracker.boxes import Box, parse_xywh
from visual_tracker.cli.options import tracker_from_options, tracker_options
from visual_tracker.console import plain_console
from visual_tracker.drawing import draw_track
from visual_tracker.images import Image
from visual_tracker.recording import BoxWriter, VideoRecorder
from visual_tracker.sources import FrameSource, SourceError, open_source
from visual_tracker.trackers import DEFAULT_TRACKER, Track, Tracker, TrackState


@click.command()
@click.argument("source")
@click.option("--box", metavar="X,Y,W,H", help="The target in the first frame, 0-based pixels.")
@tracker_options(default=DEFAULT_TRACKER)
@click.option("--output", type=click.Path(path_type=Path), help="Write the annotated video (MP4).")
@click.option("--boxes", type=click.Path(path_type=Path), help="Write the boxes (CSV).")
@click.option("--show", is_flag=True, help="Show the video while tracking; q or Esc stops.")
def command(
    source: str,
    box: str | None,
    tracker: str,
    device: str,
    settings: tuple[str, ...],
    output: Path | None,
    boxes: Path | None,
    show: bool,
) -> None:
    """Track a target through SOURCE: a video, an image folder, or a camera's number.

    Without --box the first frame is shown for you to draw it; an OTB sequence folder brings its
    own.

    \b
    Examples:
      visual-tracker track film.mp4 --box 73,36,50,61 --output tracked.mp4
      visual-tracker track film.mp4 --tracker csrt --set padding=4 --boxes boxes.csv
      visual-tracker track 0 --show
    """
    chosen = tracker_from_options(tracker, device, settings)
    first_box = parse_xywh(box) if box else None
    frames = open_source(source)
    with ExitStack() as stack:
        recorder = (
            stack.enter_context(closing(VideoRecorder(output, frames.fps, sheet_images=0)))
            if output
            else None
        )
        writer = stack.enter_context(closing(BoxWriter(boxes))) if boxes else None
        columns = (*Progress.get_default_columns(), MofNCompleteColumn())
        progress = stack.enter_context(Progress(*columns, console=plain_console(stderr=True)))
        task = progress.add_task(escape(f"{tracker} on {frames.name}"), total=frames.length)
        lost = count = 0
        for index, image, track in _tracks(chosen, frames, first_box):
            count, lost = count + 1, lost + track.is_lost
            if writer:
                writer.write(index, track)
            if recorder or show:
                drawn = image.copy()
                draw_track(drawn, track)
                if recorder:
                    recorder.write(drawn)
                if show and display.show_and_wait(frames.name, drawn) in display.QUIT_KEYS:
                    break
            progress.update(task, advance=1)
        else:
            _warn_of_an_early_end(count, frames.length)
    click.echo(f"{count} frames, lost in {lost}")


def _warn_of_an_early_end(count: int, length: int | None) -> None:
    """Say if clearly fewer frames came than a file tells of; its count may be an estimate."""
    if length is not None and count < 0.98 * length - 1:
        click.echo(
            f"warning: {count} frames came of {length} that the source tells of; is it cut off or "
            "damaged?", err=True,
        )  # fmt: skip


def _tracks(
    tracker: Tracker, source: FrameSource, box: Box | None
) -> Iterator[tuple[int, Image, Track]]:
    """Yield (index, image, outcome); the first outcome is the first box itself."""
    images = iter(source)
    first = next(images, None)
    if first is None:
        raise SourceError(f"{source.name} holds no frame")
    if box is None:
        box = _box_of_truth(source) or display.select_box(first)
    box = tracker.init(first, box)
    yield 0, first, Track(box, None, TrackState.TRACKING)
    for index, image in zip(itertools.count(1), images, strict=False):
        yield index, image, tracker.track(image)


def _box_of_truth(source: FrameSource) -> Box | None:
    return source.truth[0] if source.truth else None
