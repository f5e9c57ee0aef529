"""The node's own parameters; those of the trackers come from their dataclasses."""

from __future__ import annotations

from dataclasses import dataclass

from visual_tracker.parameters import Applies, Parameters, parameter
from visual_tracker.trackers import DEFAULT_TRACKER


@dataclass(frozen=True)
class NodeParameters(Parameters):
    """What `tracker_node` takes beside the trackers' parameters (`TRACKER.NAME`)."""

    tracker: str = parameter(
        DEFAULT_TRACKER,
        "Name of the tracker; `visual-tracker trackers` lists them.",
        applies=Applies.AT_RESTART,
    )
    device: str = parameter(
        "auto",
        "Where the tracker runs: auto (a GPU if there is one it can use), cpu, cuda or cuda:N.",
        applies=Applies.AT_RESTART,
    )
    autostart: bool = parameter(
        True,
        "Configure and activate at start; false leaves that to a lifecycle manager.",
        applies=Applies.AT_RESTART,
    )
    image_transport: str = parameter(
        "raw",
        "raw subscribes to `image`, compressed to `image/compressed` (JPEG or PNG).",
        choices=("raw", "compressed"),
        applies=Applies.AT_RESTART,
    )
    image_reliability: str = parameter(
        "best_effort",
        "QoS reliability asked of the camera; best_effort works with every publisher, reliable "
        "only with reliable ones.",
        choices=("best_effort", "reliable"),
        applies=Applies.AT_RESTART,
    )
    max_targets: int = parameter(
        4,
        "How many targets may be tracked at once.",
        minimum=1,
        maximum=64,
        applies=Applies.AT_RESTART,
    )
    buffer_seconds: float = parameter(
        10.0,
        "Seconds of images kept so that an init can start on an earlier image.",
        minimum=0.0,
        maximum=600.0,
        applies=Applies.AT_RESTART,
    )
    buffer_megabytes: int = parameter(
        256,
        "Most memory in megabytes for the images kept.",
        minimum=1,
        maximum=65536,
        applies=Applies.AT_RESTART,
    )
    catch_up_frames: int = parameter(
        60,
        "Most kept images tracked while a late init catches up; a longer backlog is thinned out.",
        minimum=1,
        maximum=10000,
        applies=Applies.AT_RESTART,
    )
    init_timeout: float = parameter(
        2.0,
        "Seconds that an init waits for the image it names.",
        minimum=0.1,
        maximum=60.0,
        applies=Applies.AT_RESTART,
    )
    image_timeout: float = parameter(
        2.0,
        "Seconds without an image after which diagnostics report ERROR.",
        minimum=0.1,
        maximum=600.0,
    )
