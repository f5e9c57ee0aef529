"""Spinning nodes: as a process of their own, or until something has happened."""

from __future__ import annotations

import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from typing import TypeVar

import rclpy
from rclpy._rclpy_pybind11 import RCLError
from rclpy.exceptions import InvalidNamespaceException
from rclpy.executors import Executor, ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node

from visual_tracker.memory import keep_freed_memory, leave_out_of_collections
from visual_tracker.parameters import ParameterError
from visual_tracker.ros.log_throttle import LogThrottle
from visual_tracker.sources import SourceError

NodeT = TypeVar("NodeT", bound=Node)
ResultT = TypeVar("ResultT")

#: seconds after which a thread that waits may have the interpreter. Python's own 5 ms are too long
#: for an image that comes while another thread builds the executor's wait set, or a message
_SWITCH_INTERVAL = 0.0005

#: seconds that a turn of `spin_until` waits for something to come
_TURN = 0.1

#: spinning is given up when so many turns, and seconds, have failed on end. The nodes' reports at
#: 1 Hz are turns, too: only what does not work at all fails for so long
_HOPELESS_TURNS = 10
_HOPELESS_SECONDS = 10.0


class SameNameError(ValueError):
    """Two nodes of a process have one name, and so the same topics; the message says which."""


class WaitError(RuntimeError):
    """What was waited for has not happened in time; the message says what."""


def run(make_node: Callable[[], NodeT], start: Callable[[NodeT], None] | None = None) -> None:
    """Spin a node until it is interrupted; see :func:`run_all`."""
    run_all([make_node], start)


def run_all(
    makers: Sequence[Callable[[], NodeT]], start: Callable[[NodeT], None] | None = None
) -> None:
    """Spin nodes in one executor until they are interrupted, and leave ROS shut down.

    What a callback raises is logged, and the nodes go on; what `start` raises ends them.

    Args:
        makers: each makes a node; rclpy.init has been called.
        start: called with each node once all are in the executor.

    Raises:
        SystemExit: with code 2, after one line on stderr, if the user's input is wrong.
    """
    try:
        nodes = [make_node() for make_node in makers]
        _refuse_same_names(nodes)
    except (InvalidNamespaceException, ParameterError, SameNameError, SourceError) as error:
        # of a namespace rclpy says what is wrong on one line and which it is on the next
        print(f"error: {' '.join(str(error).splitlines()[:2])}", file=sys.stderr)
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
        spin_on(executor, rclpy.logging.get_logger("visual_tracker").error)
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


def _refuse_same_names(nodes: Sequence[Node]) -> None:
    names = [node.get_fully_qualified_name() for node in nodes]
    for name in set(names):
        if names.count(name) > 1:
            raise SameNameError(
                f"{names.count(name)} nodes of this process would be {name}: a remapping of __ns "
                "holds for all of them; leave it out and give each node its whole namespace"
            )


def spin_on(executor: Executor, log: Callable[[str], object]) -> None:
    """Spin while ROS is up, past callbacks that fail: one bad request must not end every target.

    Args:
        executor: with the nodes to spin.
        log: takes what failed, each kind every few seconds at most.

    Raises:
        Exception: of the last turn, if none works any more, or none can, ROS being shut down.
    """
    throttle = LogThrottle()
    failed, failing_since = 0, 0.0
    while rclpy.ok():
        try:
            executor.spin_once()
        except ExternalShutdownException:
            raise
        except Exception:
            now = time.monotonic()
            failing_since = failing_since if failed else now
            failed += 1
            hopeless = failed > _HOPELESS_TURNS and now - failing_since > _HOPELESS_SECONDS
            if hopeless or not rclpy.ok():
                raise
            problem = traceback.format_exc()
            if throttle.admits(problem):
                log(f"a callback failed, the node goes on: {problem}")
        else:
            failed = 0


def spin_until(
    executor: Executor,
    happened: Callable[[], ResultT],
    what: str,
    timeout: float,
    check: Callable[[], None] = lambda: None,
    begin: Callable[[], float] | None = None,
) -> ResultT:
    """Spin until `happened` gives something true, and return that.

    Args:
        executor: with the nodes to spin.
        happened: asked before every turn; it may cause what it waits for.
        what: is waited for, for the message.
        timeout: in seconds.
        check: called in every turn; it raises if there is no use in waiting on.
        begin: from when on `timeout` counts, in monotonic seconds, such as the time of the latest
            sign of life; None for this call.

    Raises:
        WaitError: if it has not happened in time.
        KeyboardInterrupt: at a Ctrl-C.
    """
    called = time.monotonic()
    while not (result := happened()):
        check()
        if time.monotonic() - (begin() if begin else called) > timeout:
            quiet = "without a sign of life " if begin else ""
            raise WaitError(f"waited {timeout:g} s {quiet}in vain for {what}")
        spin_once(executor, _TURN)
    return result


def spin_once(executor: Executor, seconds: float) -> None:
    """Do the next thing that comes within so many seconds.

    Raises:
        KeyboardInterrupt: at a Ctrl-C or a SIGTERM.
    """
    try:
        executor.spin_once(timeout_sec=seconds)
    except ExternalShutdownException:
        # rclpy took the signal that the caller should end by
        raise KeyboardInterrupt from None
    except RCLError:
        # or took it a moment before the wait, for which ROS is invalid then
        if rclpy.ok():
            raise
        raise KeyboardInterrupt from None
