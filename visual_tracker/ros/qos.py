"""QoS of the image subscription, and why no image may be coming."""

from __future__ import annotations

from rclpy.node import Node
from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    QoSCompatibility,
    QoSProfile,
    ReliabilityPolicy,
    qos_check_compatible,
)

_RELIABILITY = {
    "best_effort": ReliabilityPolicy.BEST_EFFORT,
    "reliable": ReliabilityPolicy.RELIABLE,
}

#: types of images, and how the node takes them
_TRANSPORTS = (
    ("sensor_msgs/msg/Image", ", which takes image_transport:=raw"),
    ("sensor_msgs/msg/CompressedImage", ", which takes image_transport:=compressed"),
)


def image_qos(reliability: str, depth: int = 1) -> QoSProfile:
    """QoS for images; depth 1, so that a slow reader gets the newest and nothing stale."""
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=_RELIABILITY[reliability],
        durability=DurabilityPolicy.VOLATILE,
    )


def explain_silence(
    node: Node, topic: str, message_type: str, qos: QoSProfile, missed: int = 0
) -> str:
    """Say why no image comes on `topic`, naming topic, publisher and policy.

    Args:
        node: asks the ROS graph.
        topic: full name of the subscribed topic.
        message_type: like "sensor_msgs/msg/Image".
        qos: what the subscription asks for.
        missed: how many images the middleware has lost, as far as it tells.
    """
    publishers = node.get_publishers_info_by_topic(topic)
    if not publishers:
        return f"nobody publishes {topic}{_other_images(node, topic, message_type)}"
    for publisher in publishers:
        name = f"{publisher.node_namespace.rstrip('/')}/{publisher.node_name}"
        if publisher.topic_type != message_type:
            return f"{name} publishes {publisher.topic_type} on {topic}, not {message_type}"
        compatibility, reason = qos_check_compatible(publisher.qos_profile, qos)
        if compatibility == QoSCompatibility.ERROR:
            return (
                f"the QoS of {name} on {topic} does not fit: {reason.strip()} "
                "Start the node with image_reliability:=best_effort."
            )
    if missed:
        return (
            f"all {missed} images of {topic} were lost in transport; large ones need room in Fast "
            "DDS's shared memory: set FASTRTPS_DEFAULT_PROFILES_FILE for the camera, too (README)"
        )
    return f"nothing comes from {len(publishers)} publisher(s) on {topic}"


def _other_images(node: Node, topic: str, message_type: str) -> str:
    """Where images are published instead, as the end of a sentence; empty if nowhere."""
    found = [
        (name, types)
        for name, types in node.get_topic_names_and_types()
        if name != topic and not name.endswith("/debug_image")
    ]
    for kind, use in ((message_type, ""), *_TRANSPORTS):
        names = sorted(name for name, types in found if kind in types)
        if names:
            return f"; {kind} is published on {', '.join(names)}{use}"
    return ""
