"""Running a node as a process: to the end, to an interruption, or to one line of error."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Sequence
from typing import TypeVar

import rclpy
from rclpy._rclpy_pybind11 import RCLError
from rclpy.exceptions import InvalidNamespaceException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node

from visual_tracker.memory import keep_freed_memory, leave_out_of_collections
from visual_tracker.parameters import ParameterError
from visual_tracker.sources import SourceError

NodeT = TypeVar("NodeT", bound=Node)

#: seconds after which a thread that waits may have the interpreter. Python's own 5 ms are too long
#: for an image that comes while another thread builds the executor's wait set, or a message
_SWITCH_INTERVAL = 0.0005


def run(make_node: Callable[[], NodeT], start: Callable[[NodeT], None] | None = None) -> None:
    """Spin a node until it is interrupted; see :func:`run_all`."""
    run_all([make_node], start)


def run_all(
    makers: Sequence[Callable[[], NodeT]], start: Callable[[NodeT], None] | None = None
) -> None:
    """Spin nodes in one executor until they are interrupted, and leave ROS shut down.

    Args:
        makers: each makes a node; rclpy.init has been called.
        start: called with each node once all are in the executor.

    Raises:
        SystemExit: with code 2, after one line on stderr, if the user's input is wrong.
    """
    try:
        nodes = [make_node() for make_node in makers]
    except (InvalidNamespaceException, ParameterError, SourceError) as error:
        print(f"error: {str(error).splitlines()[0]}", file=sys.stderr)
        rclpy.try_shutdown()
        raise SystemExit(2) from None
    sys.setswitchinterval(_SWITCH_INTERVAL)
    keep_freed_memory()
    # before any model is loaded, which may be freed again
    leave_out_of_collections()
    executor = SingleThreadedExecutor()
    for node in nodes:
        executor.add_node(node)
    try:
        for node in nodes:
            if start is not None:
                start(node)
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except RCLError:
        # an interruption makes ROS invalid at once, also amid a callback that publishes
        if rclpy.ok():
            raise
    finally:
        # a second Ctrl-C, or a launch system that repeats its signal, must not cut this short
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for node in nodes:
            node.destroy_node()
        executor.shutdown()
        rclpy.try_shutdown()
