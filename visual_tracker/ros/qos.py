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


def image_qos(reliability: str, depth: int = 1) -> QoSProfile:
    """QoS for images; depth 1, so that a slow reader gets the newest and nothing stale."""
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=_RELIABILITY[reliability],
        durability=DurabilityPolicy.VOLATILE,
    )


def explain_silence(node: Node, topic: str, message_type: str, qos: QoSProfile) -> str:
    """Say why no image comes on `topic`, naming topic, publisher and policy.

    Args:
        node: asks the ROS graph.
        topic: full name of the subscribed topic.
        message_type: like "sensor_msgs/msg/Image".
        qos: what the subscription asks for.
    """
    publishers = node.get_publishers_info_by_topic(topic)
    if not publishers:
        others = [
            name
            for name, types in node.get_topic_names_and_types()
            if message_type in types and name != topic and not name.endswith("/debug_image")
        ]
        hint = f"; {message_type} is published on {', '.join(sorted(others))}" if others else ""
        return f"nobody publishes {topic}{hint}"
    for publisher in publishers:
        name = f"{publisher.node_namespace.rstrip('/')}/{publisher.node_name}"
        if publisher.topic_type != message_type:
            return f"{name} publishes {publisher.topic_type} on {topic}, not {message_type}"
        compatibility, reason = qos_check_compatible(publisher.qos_profile, qos)
        if compatibility == QoSCompatibility.ERROR:
            return (
                f"the QoS of {name} on {topic} does not fit: {reason.strip()} "
                "Set the parameter image_reliability to best_effort."
            )
    return f"{len(publishers)} publisher(s) on {topic} send nothing"
