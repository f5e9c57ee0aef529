"""Messages to library types and back."""

from __future__ import annotations

import array
import math

import numpy as np
from builtin_interfaces.msg import Time
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header
from vision_msgs.msg import (
    BoundingBox2D,
    Detection2D,
    Detection2DArray,
    ObjectHypothesisWithPose,
)

from visual_tracker import encodings, images
from visual_tracker.boxes import Box, BoxError
from visual_tracker.frames import NANOSECONDS, Frame
from visual_tracker.images import ImageError
from visual_tracker.ros.frame_times import UNKNOWN, Arrival
from visual_tracker.session import FrameResult
from visual_tracker.targets import TargetReport
from visual_tracker_msgs.msg import TargetState, TargetStateArray

try:
    import cv_bridge
except ImportError:  # not on PyPI for ROS 2; then only our own encodings are understood
    cv_bridge = None


def stamp_to_nanoseconds(stamp: Time) -> int:
    """A message's stamp in nanoseconds."""
    return stamp.sec * NANOSECONDS + stamp.nanosec


class MessageFrame(Frame):
    """A frame from a message; the bytes stay in the message's buffer.

    Attributes:
        message: sensor_msgs Image or CompressedImage.
        arrival: how it came; all zero if that was not noted.
    """

    def __init__(self, message: Image | CompressedImage, arrival: Arrival = UNKNOWN) -> None:
        self.message = message
        self.arrival = arrival
        self.stamp = stamp_to_nanoseconds(message.header.stamp)
        self.size_bytes = len(message.data)


class RawFrame(MessageFrame):
    """A frame from a sensor_msgs/Image."""

    def check(self) -> None:
        """Check that the buffer holds what the header says."""
        m = self.message
        try:
            encodings.check_layout(m.encoding, m.width, m.height, m.step, m.data)
        except encodings.UnknownEncodingError:
            if cv_bridge is None:
                raise

    def decode(self) -> images.Image:
        """Decode as :func:`visual_tracker.encodings.decode`; other encodings through cv_bridge."""
        m = self.message
        try:
            return encodings.decode(
                m.encoding, m.width, m.height, m.step, m.data, big_endian=bool(m.is_bigendian)
            )
        except encodings.UnknownEncodingError:
            if cv_bridge is None:
                raise
            return _decode_with_cv_bridge(m)


class CompressedFrame(MessageFrame):
    """A frame from a sensor_msgs/CompressedImage (JPEG or PNG)."""

    def check(self) -> None:
        """Check that the bytes begin as a JPEG or PNG."""
        encodings.check_compressed(self.message.data)

    def decode(self) -> images.Image:
        """Decode as :func:`visual_tracker.encodings.decode_compressed`."""
        return encodings.decode_compressed(self.message.data)


def image_message(image: images.Image, header: Header, encoding: str = "bgr8") -> Image:
    """An image of shape (height, width, channels) uint8 as a message."""
    # an array.array built this way is taken over as it is; assigning the ndarray takes 1000x longer
    data = array.array("B")
    data.frombytes(np.ascontiguousarray(image).data.cast("B"))
    message = Image(header=header, encoding=encoding)
    message.height, message.width = image.shape[:2]
    message.step = len(data) // message.height
    message.data = data
    return message


def box_to_message(box: Box) -> BoundingBox2D:
    """A box as centre and size."""
    message = BoundingBox2D(size_x=float(box.width), size_y=float(box.height))
    message.center.position.x, message.center.position.y = box.center
    return message


def box_from_message(message: BoundingBox2D) -> Box:
    """The axis-aligned box around a message's box, which may be rotated.

    Raises:
        BoxError: if a number is not finite or a side is zero or negative.
    """
    # checked as it came: the box around a bad one could look like a good one
    center = message.center.position
    upright = Box.from_center(center.x, center.y, message.size_x, message.size_y)
    theta = message.center.theta
    if not math.isfinite(theta):
        raise BoxError(f"box theta is {theta}; it must be a finite angle in radians, 0 for upright")
    cos, sin = abs(math.cos(theta)), abs(math.sin(theta))
    if sin == 0:
        return upright
    width = upright.width * cos + upright.height * sin
    height = upright.width * sin + upright.height * cos
    return Box.from_center(center.x, center.y, width, height)


def detections_message(result: FrameResult, header: Header) -> Detection2DArray:
    """One detection a visible target; none while all are lost."""
    visible = [target for target in result.targets if not target.track.is_lost]
    return Detection2DArray(
        header=header, detections=[_detection(target, header) for target in visible]
    )


def states_message(result: FrameResult, header: Header, tracker: str) -> TargetStateArray:
    """The state of every target."""
    return TargetStateArray(
        header=header, tracker=tracker, targets=[_state(target) for target in result.targets]
    )


def _confidence(confidence: float | None) -> float:
    """NaN stands for "this tracker has none": any threshold then says no."""
    return math.nan if confidence is None else confidence


def _detection(target: TargetReport, header: Header) -> Detection2D:
    hypothesis = ObjectHypothesisWithPose()
    hypothesis.hypothesis.class_id = target.label
    hypothesis.hypothesis.score = _confidence(target.track.confidence)
    return Detection2D(
        header=header,
        id=target.id,
        bbox=box_to_message(target.track.box),
        results=[hypothesis],
    )


def _state(target: TargetReport) -> TargetState:
    track = target.track
    message = TargetState(
        id=target.id,
        label=target.label,
        state=TargetState.LOST if track.is_lost else TargetState.TRACKING,
        confidence=_confidence(track.confidence),
        frames_since_seen=target.frames_since_seen,
        bbox=box_to_message(track.box),
    )
    if track.search_region is not None:
        message.search_region = box_to_message(track.search_region)
    return message


def _decode_with_cv_bridge(message: Image) -> images.Image:
    """Let cv_bridge try an encoding that is not ours.

    Raises:
        ImageError: whatever goes wrong in it.
    """
    try:
        image = cv_bridge.CvBridge().imgmsg_to_cv2(message, "bgr8")
    except Exception as error:  # cv_bridge raises of many types, KeyError among them
        raise ImageError(
            f"neither visual_tracker nor cv_bridge can decode encoding '{message.encoding}': "
            f"{error}"
        ) from error
    if image is None:
        raise ImageError(f"cv_bridge found no image of encoding '{message.encoding}'")
    return images.as_bgr(image)
