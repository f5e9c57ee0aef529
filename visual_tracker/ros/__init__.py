"""The ROS 2 side: it converts messages and schedules work; the tracking is in the library."""
