"""Where the time from an image's stamp to its detections' receipt goes, image by image.

The node tells when an image was sent, came and was tracked (`~/timing`); the middleware tells the
client when the detections were sent and came. All of it is read from one machine's system clock,
and every stage begins where the one before ends, so that an image's stages add up to its latency.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from visual_tracker.ros.frame_times import Arrival, FrameTimes

#: from the stamp to DDS sending the image, with building the message
CAMERA = "camera"
#: until DDS has it in the node's process
TO_NODE = "to_node"
#: until it is a message in Python
TAKE = "take"
#: until the trackers get it, decoded; where they still have the image before, it waits for them
HAND_OVER = "hand_over"
#: until all are done with it
TRACK = "track"
#: until DDS sends the detections
PUBLISH = "publish"
#: until DDS has them in the client's process
TO_CLIENT = "to_client"
#: until the client's callback
CLIENT = "client"
STAGES = (CAMERA, TO_NODE, TAKE, HAND_OVER, TRACK, PUBLISH, TO_CLIENT, CLIENT)
#: what the node can do something about, and what it cannot
NODE, ELSEWHERE = "node", "elsewhere"
#: from the stamp until the detections are sent, without the trackers
BESIDE_TRACKING = "beside_tracking"
SUMS = {
    NODE: (TAKE, HAND_OVER, PUBLISH),
    ELSEWHERE: (CAMERA, TO_NODE, TO_CLIENT, CLIENT),
    BESIDE_TRACKING: (CAMERA, TO_NODE, TAKE, HAND_OVER, PUBLISH),
}


def stages_ms(stamp: int, times: FrameTimes, receipt: Arrival) -> dict[str, float]:
    """Milliseconds of every stage of one image, and of the sums.

    Args:
        stamp: of the image, in nanoseconds.
        times: what the node tells of it.
        receipt: of its detections at the client.
    """
    ends = (
        times.sent,
        times.arrived,
        times.taken,
        times.tracking_began,
        times.tracking_ended,
        receipt.sent,
        receipt.arrived,
        receipt.taken,
    )
    begins = (stamp, *ends)
    stages = {
        name: (end - begin) / 1e6 for name, begin, end in zip(STAGES, begins, ends, strict=False)
    }
    return stages | {name: sum(stages[part] for part in parts) for name, parts in SUMS.items()}


class StageLog:
    """Collects both ends of every image, whichever comes first."""

    def __init__(self) -> None:
        self._times: dict[int, FrameTimes] = {}
        self._receipts: dict[int, Arrival] = {}

    def add_times(self, stamp: int, times: FrameTimes) -> None:
        """What the node tells of the image of that stamp."""
        self._times[stamp] = times

    def add_receipt(self, stamp: int, receipt: Arrival) -> None:
        """How the detections of the image of that stamp came."""
        self._receipts[stamp] = receipt

    def clear(self) -> None:
        """Forget all images."""
        self._times.clear()
        self._receipts.clear()

    def stages_ms(self) -> list[dict[str, float]]:
        """Stages of every image of which both ends are known, in order."""
        return [
            stages_ms(stamp, self._times[stamp], receipt)
            for stamp, receipt in self._receipts.items()
            if stamp in self._times
        ]


def summarize(images: Iterable[dict[str, float]]) -> dict[str, tuple[float, float]]:
    """Median and 99th percentile of every stage and sum; empty without images."""
    listed = list(images)
    if not listed:
        return {}
    columns = {name: [image[name] for image in listed] for name in (*STAGES, *SUMS)}
    return {
        name: (float(np.median(column)), float(np.percentile(column, 99)))
        for name, column in columns.items()
    }
