"""All trackers, one file each; importing this package registers them."""

from visual_tracker.trackers import (
    adnet,
    cfnet,
    csrt,
    dasiamrpn,
    kcf,
    mdnet,
    memtrack,
    mil,
    nano,
    re3,
    siamfc,
    siamrpn,
)
from visual_tracker.trackers.base import (
    MIN_BOX_SIDE,
    NotInitializedError,
    Track,
    Tracker,
    TrackerUnavailableError,
    TrackState,
)
from visual_tracker.trackers.registry import (
    TrackerInfo,
    available_trackers,
    create_tracker,
    tracker_class,
    tracker_names,
)

#: the tracker that runs unless another is asked for
DEFAULT_TRACKER = "dasiamrpn"

__all__ = [
    "DEFAULT_TRACKER",
    "MIN_BOX_SIDE",
    "NotInitializedError",
    "Track",
    "TrackState",
    "Tracker",
    "TrackerInfo",
    "TrackerUnavailableError",
    "adnet",
    "available_trackers",
    "cfnet",
    "create_tracker",
    "csrt",
    "dasiamrpn",
    "kcf",
    "mdnet",
    "memtrack",
    "mil",
    "nano",
    "re3",
    "siamfc",
    "siamrpn",
    "tracker_class",
    "tracker_names",
]
