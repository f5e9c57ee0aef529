"""A video as camera, and the tracker: ros2 launch visual_tracker demo.launch.py video:=FILE."""

from pathlib import Path

from ament_index_python.packages import (
    PackageNotFoundError,
    get_package_prefix,
    get_package_share_directory,
)
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from launch import LaunchDescription

IMAGE_TOPIC = "/camera/image"

ARGUMENTS = [
    DeclareLaunchArgument("video", description="Video, image folder or camera number."),
    DeclareLaunchArgument("tracker", default_value="", description="As in tracker.launch.py."),
    DeclareLaunchArgument(
        "rate", default_value="0.0", description="Frames a second; 0: the video's own."
    ),
    DeclareLaunchArgument(
        "loop", default_value="true", description="Start the video again at its end."
    ),
]


def viewer_installed() -> bool:
    """Whether there is an image viewer to open."""
    try:
        get_package_prefix("rqt_image_view")
    except PackageNotFoundError:
        return False
    return True


def generate_launch_description() -> LaunchDescription:
    launch_folder = Path(get_package_share_directory("visual_tracker")) / "launch"
    camera = Node(
        package="visual_tracker",
        executable="video_publisher",
        parameters=[
            {
                # a camera's number is a string all the same
                "source": ParameterValue(LaunchConfiguration("video"), value_type=str),
                "rate": ParameterValue(LaunchConfiguration("rate"), value_type=float),
                "loop": ParameterValue(LaunchConfiguration("loop"), value_type=bool),
            }
        ],
        remappings=[("image", IMAGE_TOPIC)],
        output="screen",
    )
    tracker = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(launch_folder / "tracker.launch.py")),
        launch_arguments={
            "image": IMAGE_TOPIC,
            "tracker": LaunchConfiguration("tracker"),
            "debug_image": "true" if viewer_installed() else "false",
        }.items(),
    )
    # the tracker's launch file sets the DDS profile, which the camera needs too
    return LaunchDescription([*ARGUMENTS, tracker, camera])
