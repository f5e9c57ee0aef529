"""The client of the benchmarks: starts targets, and measures what comes back."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from std_srvs.srv import Trigger
from vision_msgs.msg import Detection2DArray

from visual_tracker.boxes import Box
from visual_tracker.ros import frame_times
from visual_tracker.ros.benchmarks.stages import StageLog
from visual_tracker.ros.calls import Caller
from visual_tracker.ros.client import PublisherHold, has_publisher
from visual_tracker.ros.conversions import box_to_message, stamp_to_nanoseconds
from visual_tracker.ros.frame_times import Arrival
from visual_tracker.ros.processes import NodeProcess, ProcessError
from visual_tracker.ros.spinning import WaitError, spin_once, spin_until
from visual_tracker_msgs.srv import InitTarget, RemoveTarget

TRACKER_NODE = "/tracker_node"
PUBLISHER_NODE = "/video_publisher"

#: seconds after which what should have happened has failed; on a busy machine a node's start takes
#: most of a minute
TIMEOUT = 120.0


class LoadClient(Node):
    """Subscribes to detections and diagnostics and calls the services.

    Args:
        timed: also have the node tell of every image; that costs it a message an image.

    Attributes:
        latencies: milliseconds from an image's stamp to the arrival of its detections.
        reports: the latest diagnostics of every node by its name, as key and value.
        newest: stamp of the newest image with detections, None before the first.
        hold: holds the publisher back.
        stages: of every image, if `timed`.
    """

    def __init__(self, timed: bool = False) -> None:
        super().__init__("load_client")
        self.latencies: list[float] = []
        self.reports: dict[str, dict[str, str]] = {}
        self.newest: Time | None = None
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)
        self.hold = PublisherHold(self, self.wait_for)
        self._processes: list[NodeProcess] = []
        subscribe = self.create_subscription
        subscribe(Detection2DArray, f"{TRACKER_NODE}/detections", self._on_detections, 100)
        subscribe(DiagnosticArray, "/diagnostics", self._on_diagnostics, 100)
        self.stages = StageLog()
        self._timed = timed
        if timed:
            subscribe(DiagnosticArray, f"{TRACKER_NODE}/timing", self._on_times, 100)
        self._caller = Caller(self, self.wait_for)

    def watch(self, process: NodeProcess) -> NodeProcess:
        """Have waiting end if this process does."""
        self._processes.append(process)
        return process

    def wait_for(self, happened: Callable[[], Any], what: str) -> Any:
        """Spin until `happened` gives something true, and return that.

        Raises:
            ProcessError: if it does not within TIMEOUT, or a watched process ends.
        """
        try:
            return spin_until(self._executor, happened, what, TIMEOUT, self._check_processes)
        except WaitError as error:
            raise ProcessError(str(error)) from None

    def spin_for(self, seconds: float) -> None:
        """Take what comes for a while.

        Raises:
            ProcessError: if a watched process ends.
        """
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            spin_once(self._executor, left)
        self._check_processes()

    def next_report(self, node: str) -> dict[str, str]:
        """The next diagnostics of a node."""
        self.reports.pop(node, None)
        self.wait_for(lambda: node in self.reports, f"diagnostics of {node}")
        return self.reports[node]

    def release_publisher(self) -> None:
        """Let the publisher, started with `hold`, begin once the tracker's node hears it."""
        self.hold.release(lambda: has_publisher(self.reports.get(TRACKER_NODE, {})))

    def init_target(self, box: Box, stamp: Time, target_id: str = "") -> InitTarget.Response:
        """Start a target and wait for the answer."""
        request = InitTarget.Request(target_id=target_id, bbox=box_to_message(box), stamp=stamp)
        return self._call(InitTarget, "init_target", request)

    def remove_target(self, target_id: str) -> RemoveTarget.Response:
        """Remove a target and wait for the answer."""
        request = RemoveTarget.Request(target_id=target_id)
        return self._call(RemoveTarget, "remove_target", request)

    def clear_targets(self) -> Trigger.Response:
        """Remove all targets and wait for the answer."""
        return self._call(Trigger, "clear_targets", Trigger.Request())

    def close(self) -> None:
        """Leave ROS."""
        self._executor.shutdown()
        self.destroy_node()

    def _check_processes(self) -> None:
        for process in self._processes:
            process.check()

    def _call(self, kind: type, service: str, request: Any) -> Any:
        return self._caller.call(kind, f"{TRACKER_NODE}/{service}", request)

    def _on_detections(self, message: Detection2DArray, info: dict[str, Any]) -> None:
        now = self.get_clock().now().nanoseconds
        stamp = stamp_to_nanoseconds(message.header.stamp)
        self.latencies.append((now - stamp) / 1e6)
        self.newest = message.header.stamp
        if self._timed:
            self.stages.add_receipt(stamp, Arrival.of(info, now))

    def _on_times(self, message: DiagnosticArray) -> None:
        stamp = stamp_to_nanoseconds(message.header.stamp)
        self.stages.add_times(stamp, frame_times.from_message(message))

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            self.reports[status.name] = {entry.key: entry.value for entry in status.values}
