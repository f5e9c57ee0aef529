"""Start the tracker: ros2 launch visual_tracker tracker.launch.py image:=/camera/image_raw."""

import os
from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchContext, LaunchDescription

SHARE = Path(get_package_share_directory("visual_tracker"))
DDS_PROFILE = "FASTRTPS_DEFAULT_PROFILES_FILE"

ARGUMENTS = [
    DeclareLaunchArgument("image", description="Topic of the camera's images."),
    DeclareLaunchArgument(
        "tracker", default_value="", description="Name of the tracker; empty: the params file's."
    ),
    DeclareLaunchArgument(
        "device",
        default_value="",
        description="auto, cpu, cuda or cuda:N; empty: the params file's.",
    ),
    DeclareLaunchArgument(
        "image_transport",
        default_value="",
        choices=["", "raw", "compressed"],
        description="raw, or compressed for <image>/compressed; empty: the params file's.",
    ),
    DeclareLaunchArgument(
        "params_file",
        default_value=str(SHARE / "config" / "tracker.yaml"),
        description="Parameters of the node and of the trackers.",
    ),
    DeclareLaunchArgument("namespace", default_value="", description="Namespace of the node."),
    DeclareLaunchArgument(
        "cameras",
        default_value="",
        description="Namespaces of several cameras, by spaces: a node for each, in one process; "
        "give image without a leading slash then, as each camera has its own.",
    ),
    DeclareLaunchArgument(
        "debug_image",
        default_value="false",
        choices=["true", "false"],
        description="Open a viewer on the debug image (needs rqt_image_view).",
    ),
]


def start_nodes(context: LaunchContext) -> list[Node]:
    """Start the node, with the arguments that were given laid over the params file."""

    def argument(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    overrides = {
        name: argument(name) for name in ("tracker", "device", "image_transport") if argument(name)
    }
    namespace, cameras = argument("namespace"), argument("cameras").split()
    places = [f"{namespace}/{camera.lstrip('/')}".lstrip("/") for camera in cameras] or [namespace]
    nodes = [
        Node(
            package="visual_tracker",
            executable="tracker_node",
            name="tracker_node",
            # several cameras say where they are themselves: one process has one __ns, which would
            # be that of all nodes in it; an empty one is one, too
            namespace=None if cameras else namespace,
            arguments=places if cameras else [],
            parameters=[argument("params_file"), *([overrides] if overrides else [])],
            remappings=[("image", argument("image"))],
            output="screen",
        )
    ]
    if argument("debug_image") == "true":
        nodes += [
            Node(
                package="rqt_image_view",
                executable="rqt_image_view",
                namespace=place,
                arguments=["tracker_node/debug_image"],
            )
            for place in places
        ]
    return nodes


def generate_launch_description() -> LaunchDescription:
    profile = []
    if DDS_PROFILE not in os.environ:
        path = str(SHARE / "config" / "fastdds_big_images.xml")
        profile = [SetEnvironmentVariable(DDS_PROFILE, path)]
    return LaunchDescription([*ARGUMENTS, *profile, OpaqueFunction(function=start_nodes)])
