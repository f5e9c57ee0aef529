"""Compressed images: one node that subscribes to `image/compressed`."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import pytest
from sensor_msgs.msg import CompressedImage

from test.ros.harness import NodeProcess, Peer, only_box
from test.ros.scene import Scene

SCENE = Scene()


@pytest.fixture(scope="module")
def compressed_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    log = tmp_path_factory.mktemp("compressed") / "node.log"
    process = NodeProcess("tracker_node", log, tracker="kcf", image_transport="compressed")
    yield process
    process.stop()


@pytest.fixture
def client(compressed_node: NodeProcess, peer: Peer) -> Iterator[Peer]:
    peer.connect(CompressedImage)
    yield peer
    assert compressed_node.alive
    peer.clear()


def compressed(index: int, suffix: str) -> CompressedImage:
    _, data = cv2.imencode(suffix, SCENE.image(index))
    return CompressedImage(format=f"bgr8; {suffix[1:]}", data=data.tobytes())


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_target_is_tracked(client: Peer, suffix: str) -> None:
    header = client.send(compressed(0, suffix)).header
    assert client.init_at(SCENE.box(0), header.stamp).success
    for index in range(1, 8):
        detections = client.send(compressed(index, suffix))
    assert only_box(detections).iou(SCENE.box(7)) > 0.7


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"no picture at all", "neither JPEG nor PNG"),
        (b"\xff\xd8\xff" + bytes(200), "cannot be decoded"),
    ],
)
def test_garbage_is_reported_and_tracking_goes_on(
    client: Peer, compressed_node: NodeProcess, data: bytes, reason: str
) -> None:
    header = client.send(compressed(0, ".jpg")).header
    assert client.init_at(SCENE.box(0), header.stamp).success
    client.publish(CompressedImage(format="jpeg", data=data))
    client.wait_for(lambda: reason in compressed_node.log, "the report of the garbage")
    assert only_box(client.send(compressed(1, ".jpg"))).iou(SCENE.box(1)) > 0.7
