"""The names of image topics under remappings, and what is said where no image comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import rclpy
from rclpy.context import Context
from rclpy.node import Node

from visual_tracker.ros.qos import explain_silence, image_qos
from visual_tracker.ros.topics import image_topic

IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"


@contextmanager
def node_with(*remappings: str) -> Iterator[Node]:
    context = Context()
    arguments = [word for rule in remappings for word in ("-r", rule)]
    rclpy.init(context=context, args=["--ros-args", *arguments] if arguments else [])
    node = Node("named", context=context, namespace="front")
    try:
        yield node
    finally:
        node.destroy_node()
        rclpy.shutdown(context=context)


@pytest.mark.parametrize(
    ("remappings", "raw", "compressed"),
    [
        ([], "/front/image", "/front/image/compressed"),
        (["image:=/camera/image_raw"], "/camera/image_raw", "/camera/image_raw/compressed"),
        (["image/compressed:=/jpeg"], "/front/image", "/jpeg"),
        (["image:=view", "image/compressed:=jpeg"], "/front/view", "/front/jpeg"),
    ],
)
def test_compressed_images_follow_a_remapping_of_raw_ones(
    remappings: list[str], raw: str, compressed: str
) -> None:
    with node_with(*remappings) as node:
        assert image_topic(node, "raw") == raw
        assert image_topic(node, "compressed") == compressed


def graph(topics: dict[str, str], publishers: int = 0) -> SimpleNamespace:
    """A node that sees these topics, and fitting publishers on the one asked for."""
    fitting = SimpleNamespace(
        node_namespace="/",
        node_name="camera",
        topic_type=IMAGE,
        qos_profile=image_qos("reliable"),
    )
    return SimpleNamespace(
        get_publishers_info_by_topic=lambda topic: [fitting] * publishers,
        get_topic_names_and_types=lambda: [(name, [kind]) for name, kind in topics.items()],
    )


@pytest.mark.parametrize(
    ("topics", "said"),
    [
        ({}, "nobody publishes /image"),
        ({"/image": IMAGE, "/node/debug_image": IMAGE}, "nobody publishes /image"),
        ({"/other": IMAGE}, f"nobody publishes /image; {IMAGE} is published on /other"),
        (
            {"/image/compressed": COMPRESSED},
            f"nobody publishes /image; {COMPRESSED} is published on /image/compressed, which takes "
            "image_transport:=compressed",
        ),
    ],
)
def test_where_nobody_publishes_it_is_said_who_does_elsewhere(
    topics: dict[str, str], said: str
) -> None:
    explained = explain_silence(graph(topics), "/image", IMAGE, image_qos("best_effort"))  # type: ignore[arg-type]
    assert explained == said


def test_images_that_are_lost_on_the_way_are_not_said_to_be_sent_by_nobody() -> None:
    explain: Callable[[int], str] = lambda missed: explain_silence(  # noqa: E731
        graph({}, publishers=1),  # type: ignore[arg-type]
        "/image",
        IMAGE,
        image_qos("best_effort"),
        missed,
    )
    assert explain(0) == "nothing comes from 1 publisher(s) on /image"
    assert "all 67 images of /image were lost in transport" in explain(67)
    assert "FASTRTPS_DEFAULT_PROFILES_FILE" in explain(67)
