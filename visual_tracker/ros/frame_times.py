"""When what happened to an image, from its stamp to its detections; and as a message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from std_msgs.msg import Header


@dataclass(frozen=True, slots=True)
class Arrival:
    """How an image came: nanoseconds of the system's clock, which DDS uses.

    Attributes:
        sent: when its publisher's DDS sent it; `arrived` if the middleware does not say.
        arrived: when DDS had it in this process; `taken` if the middleware does not say.
        taken: when it had become a message in Python.
    """

    sent: int
    arrived: int
    taken: int

    @classmethod
    def of(cls, info: Mapping[str, Any], taken: int) -> Arrival:
        """Of rclpy's message info."""
        arrived = info["received_timestamp"] or taken
        return cls(info["source_timestamp"] or arrived, arrived, taken)


#: for images whose arrival nobody noted
UNKNOWN = Arrival(0, 0, 0)


@dataclass(frozen=True, slots=True)
class FrameTimes:
    """What the node knows of one image: nanoseconds of the system's clock.

    Attributes:
        sent: as in Arrival.
        arrived: as in Arrival.
        taken: as in Arrival.
        tracking_began: when the trackers got it, decoded.
        tracking_ended: when all were done with it.
        published: when its detections had been published.
    """

    sent: int
    arrived: int
    taken: int
    tracking_began: int
    tracking_ended: int
    published: int

    @property
    def tracker_seconds(self) -> float:
        """What the trackers took."""
        return (self.tracking_ended - self.tracking_began) / 1e9

    @property
    def own_seconds(self) -> float:
        """What the node took beside the trackers, from arrival to detections."""
        return (self.published - self.arrived) / 1e9 - self.tracker_seconds


def to_message(times: FrameTimes, header: Header, name: str) -> DiagnosticArray:
    """As a message with the image's header; `name` is the node's."""
    values = [KeyValue(key=key, value=str(value)) for key, value in asdict(times).items()]
    return DiagnosticArray(header=header, status=[DiagnosticStatus(name=name, values=values)])


def from_message(message: DiagnosticArray) -> FrameTimes:
    """The times of `to_message`."""
    values = {entry.key: int(entry.value) for entry in message.status[0].values}
    return FrameTimes(**{field.name: values[field.name] for field in fields(FrameTimes)})
