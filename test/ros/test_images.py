"""What arrives as an image: encodings, transports, QoS, and what is no image at all."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from test.ros.harness import NodeProcess, Peer, only_box
from test.ros.scene import Scene
from visual_tracker.encodings import understood_encodings
from visual_tracker.images import Image as Bgr
from visual_tracker.ros.conversions import image_message

SCENE = Scene()

#: converts BGR to the pixels of an encoding, of shape (rows, width, bytes a pixel)
TO_ENCODING: dict[str, Callable[[Bgr], np.ndarray]] = {}


def _encoding(*names: str) -> Callable:
    def add(function: Callable[[Bgr], np.ndarray]) -> Callable[[Bgr], np.ndarray]:
        TO_ENCODING.update(dict.fromkeys(names, function))
        return function

    return add


@_encoding("bgr8", "8UC3")
def _bgr(image: Bgr) -> np.ndarray:
    return image


@_encoding("rgb8")
def _rgb(image: Bgr) -> np.ndarray:
    return image[..., ::-1]


@_encoding("bgra8", "8UC4")
def _bgra(image: Bgr) -> np.ndarray:
    return cv2.cvtColor(image, cv2.COLOR_BGR2BGRA)


@_encoding("rgba8")
def _rgba(image: Bgr) -> np.ndarray:
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGBA)


@_encoding("mono8", "8UC1")
def _mono8(image: Bgr) -> np.ndarray:
    return cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)[..., None]


@_encoding("mono16")
def _mono16(image: Bgr) -> np.ndarray:
    return _little_endian(_mono8(image)[..., 0])


@_encoding("yuv422", "uyvy")
def _uyvy(image: Bgr) -> np.ndarray:
    yuv = cv2.cvtColor(image, cv2.COLOR_BGR2YUV)
    packed = np.empty((*image.shape[:2], 2), np.uint8)
    packed[..., 1] = yuv[..., 0]
    packed[:, 0::2, 0], packed[:, 1::2, 0] = yuv[:, 0::2, 1], yuv[:, 0::2, 2]
    return packed


@_encoding("yuv422_yuy2", "yuyv")
def _yuyv(image: Bgr) -> np.ndarray:
    return _uyvy(image)[..., ::-1]


@_encoding("nv12")
def _nv12(image: Bgr) -> np.ndarray:
    return _semi_planar(image, first=1)


@_encoding("nv21")
def _nv21(image: Bgr) -> np.ndarray:
    return _semi_planar(image, first=2)


def _semi_planar(image: Bgr, first: int) -> np.ndarray:
    yuv = cv2.cvtColor(image, cv2.COLOR_BGR2YUV)
    chroma = np.empty((image.shape[0] // 2, image.shape[1]), np.uint8)
    chroma[:, 0::2], chroma[:, 1::2] = yuv[::2, ::2, first], yuv[::2, ::2, 3 - first]
    return np.vstack([yuv[..., 0], chroma])[..., None]


def _mosaic(pattern: str) -> Callable[[Bgr], np.ndarray]:
    def mosaic(image: Bgr) -> np.ndarray:
        flat = np.empty(image.shape[:2], np.uint8)
        for index, color in enumerate(pattern):
            row, column = divmod(index, 2)
            flat[row::2, column::2] = image[row::2, column::2, "bgr".index(color)]
        return flat[..., None]

    return mosaic


def _wide(narrow: Callable[[Bgr], np.ndarray]) -> Callable[[Bgr], np.ndarray]:
    return lambda image: _little_endian(narrow(image)[..., 0])


def _little_endian(flat: np.ndarray) -> np.ndarray:
    return np.stack([np.full_like(flat, 7), flat], axis=-1)


for _pattern in ("rggb", "bggr", "gbrg", "grbg"):
    TO_ENCODING[f"bayer_{_pattern}8"] = _mosaic(_pattern)
    TO_ENCODING[f"bayer_{_pattern}16"] = _wide(_mosaic(_pattern))


def message(encoding: str, image: Bgr, padding: int = 0) -> Image:
    """The image in an encoding, with so many bytes of noise after each row."""
    pixels = np.ascontiguousarray(TO_ENCODING[encoding](image))
    rows = pixels.reshape(pixels.shape[0], -1)
    noise = np.random.default_rng(1).integers(0, 256, (rows.shape[0], padding), dtype=np.uint8)
    padded = np.ascontiguousarray(np.hstack([rows, noise]))
    built = image_message(padded, Header(), encoding)
    built.height, built.width = image.shape[:2]
    built.step = padded.shape[1]
    return built


def test_every_encoding_understood_is_tried_here() -> None:
    assert set(TO_ENCODING) == set(understood_encodings())


@pytest.mark.parametrize("padding", [0, 13])
@pytest.mark.parametrize("encoding", sorted(TO_ENCODING))
def test_target_is_tracked_in_every_encoding(camera: Peer, encoding: str, padding: int) -> None:
    header = camera.send(message(encoding, SCENE.image(0), padding)).header
    assert camera.init_at(SCENE.box(0), header.stamp).success
    for index in range(1, 8):
        detections = camera.send(message(encoding, SCENE.image(index), padding))
    assert only_box(detections).iou(SCENE.box(7)) > 0.7


def test_encoding_may_change_in_mid_stream(camera: Peer) -> None:
    assert camera.init(SCENE.box(0), SCENE.image(0)).success
    for index, encoding in enumerate(("rgb8", "bgra8", "bayer_rggb8", "yuv422", "nv12"), start=1):
        detections = camera.send(message(encoding, SCENE.image(index)))
        assert only_box(detections).iou(SCENE.box(index)) > 0.7


@pytest.mark.parametrize("reliability", ["best_effort", "reliable"])
def test_both_kinds_of_publisher_are_heard(
    shared_node: NodeProcess, peer: Peer, reliability: str
) -> None:
    peer.connect(Image, reliability)
    peer.clear()
    # once it is answered no image of before is on its way
    peer.send_bgr(SCENE.image(0), reliability)
    received = int(peer.next_report()[1]["frames_received"])
    for index in range(10):
        peer.send_bgr(SCENE.image(index), reliability)
    assert int(peer.next_report()[1]["frames_received"]) == received + 10


def _truncated() -> Image:
    bad = message("bgr8", SCENE.image(3))
    bad.data = bad.data[: len(bad.data) // 2]
    return bad


def _short_step() -> Image:
    bad = message("bgr8", SCENE.image(3))
    bad.step = 10
    return bad


BAD_IMAGES = {
    "truncated": (_truncated, "truncated"),
    "no data": (lambda: Image(encoding="bgr8", width=320, height=240, step=960), "truncated"),
    "no pixels": (lambda: Image(encoding="bgr8"), "empty"),
    "short step": (_short_step, "step"),
    "unknown encoding": (
        lambda: Image(encoding="telepathy", width=1, height=1, step=1, data=b"1"),
        "encoding 'telepathy'",
    ),
}


@pytest.mark.parametrize("kind", BAD_IMAGES)
def test_bad_image_is_reported_and_tracking_goes_on(
    camera: Peer, shared_node: NodeProcess, kind: str
) -> None:
    make, reason = BAD_IMAGES[kind]
    camera.init(SCENE.box(0), SCENE.image(0))
    logged_before = len(shared_node.log)
    _, before = camera.next_report()
    camera.publish(make())
    status, _ = camera.wait_for_report(
        lambda status: any(
            entry.key == "frames_bad" and int(entry.value) > int(before["frames_bad"])
            for entry in status.values
        )
    )
    assert status.level == status.WARN
    assert only_box(camera.send_bgr(SCENE.image(1))).iou(SCENE.box(1)) > 0.7

    def logged() -> bool:
        # again, for the log repeats what is of one kind only every few seconds
        camera.publish(make())
        camera.spin(0.1)
        return reason in shared_node.log[logged_before:]

    camera.wait_for(logged, f"a line in the log with '{reason}'")


def test_change_of_size_loses_the_target_until_the_size_is_back(camera: Peer) -> None:
    camera.init(SCENE.box(0), SCENE.image(0), target_id="mine")
    other = camera.send_bgr(np.zeros((480, 640, 3), np.uint8))
    assert other.detections == []
    (state,) = camera.states_of(other).targets
    assert state.state == state.LOST
    assert state.frames_since_seen == 1
    assert only_box(camera.send_bgr(SCENE.image(1))).iou(SCENE.box(1)) > 0.7


def test_target_can_be_initialised_again_on_the_new_size(camera: Peer) -> None:
    camera.init(SCENE.box(0), SCENE.image(0), target_id="mine")
    large = Scene(640, 480)
    assert camera.init(large.box(0), large.image(0), target_id="mine").success
    assert only_box(camera.send_bgr(large.image(1))).iou(large.box(1)) > 0.7
