"""Names of image topics, the same for whoever publishes and whoever subscribes."""

from __future__ import annotations

from rclpy.node import Node


def image_topic(node: Node, transport: str) -> str:
    """The full name of a node's topic of images.

    `image/compressed` follows a remapping of `image`, unless it is remapped itself.

    Args:
        node: whose remappings count.
        transport: "raw" or "compressed".
    """
    topic: str = node.resolve_topic_name("image")
    if transport == "raw":
        return topic
    own: str = node.resolve_topic_name("image/compressed")
    remapped = own != node.resolve_topic_name("image/compressed", only_expand=True)
    return own if remapped else f"{topic}/compressed"
