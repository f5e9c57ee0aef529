"""visual_tracker: follow one target, given its first box, through a camera's images.

>>> from visual_tracker import Box, create_tracker
>>> tracker = create_tracker("csrt")
>>> tracker.init(first_image, Box.from_xywh(73, 36, 50, 61))  # doctest: +SKIP
>>> track = tracker.track(next_image)  # doctest: +SKIP

This package needs no ROS; only `visual_tracker.ros` does.
"""

from visual_tracker.boxes import Box, BoxError
from visual_tracker.images import ImageError
from visual_tracker.parameters import ParameterError
from visual_tracker.trackers import (
    NotInitializedError,
    Track,
    Tracker,
    TrackerInfo,
    TrackerUnavailableError,
    TrackState,
    available_trackers,
    create_tracker,
)

__version__ = "0.1.0"

__all__ = [
    "Box",
    "BoxError",
    "ImageError",
    "NotInitializedError",
    "ParameterError",
    "Track",
    "TrackState",
    "Tracker",
    "TrackerInfo",
    "TrackerUnavailableError",
    "__version__",
    "available_trackers",
    "create_tracker",
]
