"""What every benchmark of the node starts: client, tracker's node and camera, over DDS."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import rclpy

from visual_tracker.ros.benchmarks.load_client import TRACKER_NODE, LoadClient
from visual_tracker.ros.processes import NodeProcess


@contextmanager
def node_on_stream(
    clip: Path,
    tracker: str,
    rate: float,
    max_targets: int,
    transport: str = "raw",
    threads: int = 1,
    timed: bool = False,
) -> Iterator[tuple[LoadClient, NodeProcess]]:
    """Run the tracker's node on a clip that a camera plays again and again; ROS is started for it.

    Args:
        clip: folder that `write_clip` filled.
        tracker: name.
        rate: images a second.
        max_targets: of the node.
        transport: raw or compressed.
        threads: that the tracker may use.
        timed: as of `LoadClient`.

    Yields:
        The client, and the node's process; the first image is on its way.

    Raises:
        ProcessError: if a process ends early or the node does not hear the camera.
    """
    rclpy.init(args=[])
    with ExitStack() as stack:
        stack.callback(rclpy.try_shutdown)
        client = LoadClient(timed)
        stack.callback(client.close)
        node = NodeProcess(
            "tracker_node",
            quiet=True,
            tracker=tracker,
            image_transport=transport,
            max_targets=max_targets,
            **{f"{tracker}__threads": threads},
        )
        client.watch(stack.enter_context(closing(node)))
        client.wait_for(lambda: TRACKER_NODE in client.reports, "the tracker's node")
        camera = NodeProcess(
            "video_publisher",
            str(clip),
            quiet=True,
            rate=rate,
            transport=transport,
            loop=True,
            wait_for_subscribers=1,
            hold=True,
        )
        client.watch(stack.enter_context(closing(camera)))
        client.release_publisher()
        yield client, node
