"""What the installed commands of the nodes call: without ROS 2 one line says what is missing."""

from __future__ import annotations

import importlib
import sys


def tracker_node() -> None:
    """`tracker_node`; see :mod:`visual_tracker.ros.tracker_node`."""
    _run("tracker_node")


def video_publisher() -> None:
    """`video_publisher`; see :mod:`visual_tracker.ros.video_publisher`."""
    _run("video_publisher")


def select_target() -> None:
    """`select_target`; see :mod:`visual_tracker.ros.select_target`."""
    _run("select_target")


def demo() -> None:
    """`demo`; see :mod:`visual_tracker.ros.demo`."""
    _run("demo")


def _run(name: str) -> None:
    try:
        module = importlib.import_module(f"visual_tracker.ros.{name}")
    except ModuleNotFoundError as error:
        print(
            f"error: {name} needs ROS 2 with the built messages, sourced ({error}); see README, "
            "'On a robot', or run 'make demo' in the clone",
            file=sys.stderr,
        )
        raise SystemExit(2) from None
    module.main()
