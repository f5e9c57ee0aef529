"""Processes to test, and the peer that talks to them over DDS."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rclpy
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import DescribeParameters, GetParameters, SetParameters
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header
from std_srvs.srv import Trigger
from vision_msgs.msg import Detection2DArray

from visual_tracker.boxes import Box
from visual_tracker.ros.calls import Caller
from visual_tracker.ros.client import PublisherHold, has_publisher
from visual_tracker.ros.conversions import (
    box_from_message,
    box_to_message,
    image_message,
    stamp_to_nanoseconds,
)
from visual_tracker.ros.qos import image_qos
from visual_tracker.ros.spinning import spin_until
from visual_tracker_msgs.msg import TargetStateArray
from visual_tracker_msgs.srv import InitTarget, RemoveTarget

#: seconds after which something that should have happened has failed; generous, for busy machines
TIMEOUT = 120.0
NODE = "/tracker_node"
#: nanoseconds between two stamps at least: they must differ, but a step that sending could outrun
#: would take the stamps ahead of the clock; no image can be sent within a microsecond
STAMP_STEP = 1_000


class NodeProcess:
    """One of the package's nodes in a process of its own."""

    def __init__(self, module: str, log: Path, *arguments: str, **parameters: object) -> None:
        command = [sys.executable, "-m", f"visual_tracker.ros.{module}", *arguments, "--ros-args"]
        for name, value in parameters.items():
            command += ["-p", f"{name.replace('__', '.')}:={json.dumps(value)}"]
        self._log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def wait(self) -> int:
        return self._process.wait(TIMEOUT)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """It does nothing meanwhile; what comes for it waits in the middleware."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def interrupt(self, by: signal.Signals = signal.SIGINT) -> None:
        """As by Ctrl-C, or as by `kill`."""
        self._process.send_signal(by)

    def stop(self) -> None:
        """Interrupt it; it must end by itself and without a traceback."""
        self.interrupt()
        try:
            self._process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise
        finally:
            # shown with a test that failed
            print(self.log)
        assert "Traceback" not in self.log, self.log


class Peer:
    """A camera and a client of the tracker's node.

    Args:
        namespace: of the node, if it has one, like "/front".
    """

    def __init__(self, namespace: str = "") -> None:
        names = ("image", "detections", "target_states", "init_target")
        own = [n if n == "image" else f"{NODE}/{n}" for n in names]
        rules = [f"{name}:={namespace}/{name.lstrip('/')}" for name in own] if namespace else []
        remappings = [word for rule in rules for word in ("-r", rule)]
        self.node = Node("peer", cli_args=["--ros-args", *remappings] if remappings else None)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)
        self._publishers: dict[tuple[str, str], Any] = {}
        self._caller = Caller(self.node, self.wait_for)
        self.detections: list[Detection2DArray] = []
        self.states: list[TargetStateArray] = []
        self.reports: list[DiagnosticStatus] = []
        self.sent = 0
        self._last_stamp = 0
        subscribe = self.node.create_subscription
        subscribe(Detection2DArray, f"{NODE}/detections", self.detections.append, 100)
        subscribe(TargetStateArray, f"{NODE}/target_states", self.states.append, 100)
        subscribe(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)

    @contextmanager
    def spinning(self, node: Node) -> Iterator[None]:
        """Spin a node of this process along meanwhile; it is gone afterwards."""
        self._executor.add_node(node)
        try:
            yield
        finally:
            self._executor.remove_node(node)
            node.destroy_node()

    def close(self) -> None:
        self._executor.remove_node(self.node)
        self.node.destroy_node()
        self._executor.shutdown()

    # -- waiting ----------------------------------------------------------------------------------

    def wait_for(self, happened: Callable[[], Any], what: str) -> Any:
        """Spin until `happened` gives something true, and return that."""
        return spin_until(self._executor, happened, what, TIMEOUT)

    def spin(self, seconds: float) -> None:
        """Let come what comes; only to show that something does not."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._executor.spin_once(timeout_sec=0.05)

    def connect(self, kind: type = Image, reliability: str = "reliable") -> None:
        """Wait until images reach the node, and detections and states of them reach this peer."""
        publisher = self._publisher(kind, reliability)
        self.wait_for(publisher.get_subscription_count, "the node's subscription")
        black = np.zeros((16, 16, 3), np.uint8)
        begin = nanoseconds(self.header())

        def arrived(messages: list[Any]) -> bool:
            return any(nanoseconds(m.header) > begin for m in messages)

        def answered() -> bool:
            probe = image_message(black, Header())
            if kind is CompressedImage:
                probe = CompressedImage(data=cv2.imencode(".png", black)[1].tobytes())
            self.publish(probe, reliability)
            self.spin(0.1)
            # each topic finds its reader for itself
            return arrived(self.detections) and arrived(self.states)

        self.wait_for(answered, "the first detections and states")

    # -- images -----------------------------------------------------------------------------------

    def header(self) -> Header:
        """A stamp later than the one before."""
        now = max(self.node.get_clock().now().nanoseconds, self._last_stamp + STAMP_STEP)
        self._last_stamp = now
        stamp = Time(sec=now // 10**9, nanosec=now % 10**9)
        return Header(stamp=stamp, frame_id="test_camera")

    def publish(self, message: Any, reliability: str = "reliable") -> Header:
        """Publish an Image or CompressedImage with a header of its own."""
        message.header = self.header()
        self._publisher(type(message), reliability).publish(message)
        self.sent += 1
        return message.header

    def send(self, message: Any, reliability: str = "reliable") -> Detection2DArray:
        """Publish an image and wait for its detections."""
        header = self.publish(message, reliability)
        return self.wait_for(lambda: self.answer_to(header), "detections of the image sent")

    def send_bgr(self, image: Any, reliability: str = "reliable") -> Detection2DArray:
        return self.send(image_message(image, Header()), reliability)

    def send_until_tracked(
        self, image: Callable[[int], Any], index: int
    ) -> tuple[int, Detection2DArray]:
        """Send the images from `index` on until one has a target; its index and detections."""

        def tracked() -> tuple[int, Detection2DArray] | None:
            nonlocal index
            index += 1
            detections = self.send_bgr(image(index - 1))
            return (index - 1, detections) if detections.detections else None

        return self.wait_for(tracked, "a target")

    def answer_to(self, header: Header) -> Detection2DArray | None:
        return next((d for d in self.detections if d.header.stamp == header.stamp), None)

    def states_of(self, detections: Detection2DArray) -> TargetStateArray:
        """The target states of the same image."""
        stamp = detections.header.stamp
        return self.wait_for(
            lambda: next((s for s in self.states if s.header.stamp == stamp), None),
            "the target states of that image",
        )

    def _publisher(self, kind: type, reliability: str) -> Any:
        topic = "image" if kind is Image else "image/compressed"
        key = (topic, reliability)
        if key not in self._publishers:
            for other in [k for k in self._publishers if k[0] == topic]:
                self.node.destroy_publisher(self._publishers.pop(other))
            self._publishers[key] = self.node.create_publisher(kind, topic, image_qos(reliability))
        return self._publishers[key]

    # -- services ---------------------------------------------------------------------------------

    def call(self, kind: type, service: str, request: Any) -> Any:
        return self._caller.call(kind, service, request)

    def begin(self, kind: type, service: str, request: Any) -> Any:
        return self._caller.begin(kind, service, request)

    def finish(self, future: Any) -> Any:
        self.wait_for(future.done, "the answer of a service")
        return future.result()

    def init_request(
        self, box: Any, target_id: str = "", label: str = "", stamp: Time | None = None
    ) -> InitTarget.Request:
        bbox = box_to_message(box) if isinstance(box, Box) else box
        return InitTarget.Request(
            target_id=target_id, label=label, bbox=bbox, stamp=stamp or Time()
        )

    def init(self, box: Any, image: Any, **request: Any) -> InitTarget.Response:
        """Ask for a target on the next image and send images until the answer is there."""
        future = self.begin(InitTarget, f"{NODE}/init_target", self.init_request(box, **request))

        def answered() -> bool:
            self.send_bgr(image)
            return future.done()

        self.wait_for(answered, "the answer of init_target")
        return future.result()

    def init_at(self, box: Box, stamp: Time, **request: Any) -> InitTarget.Response:
        """Ask for a target on the image of that stamp."""
        return self.call(
            InitTarget, f"{NODE}/init_target", self.init_request(box, stamp=stamp, **request)
        )

    def remove(self, target_id: str) -> RemoveTarget.Response:
        request = RemoveTarget.Request(target_id=target_id)
        return self.call(RemoveTarget, f"{NODE}/remove_target", request)

    def clear(self) -> Trigger.Response:
        return self.call(Trigger, f"{NODE}/clear_targets", Trigger.Request())

    def set_parameter(self, name: str, value: Any, node: str = NODE) -> Any:
        request = SetParameters.Request(
            parameters=[Parameter(name, value=value).to_parameter_msg()]
        )
        return self.call(SetParameters, f"{node}/set_parameters", request).results[0]

    def get_parameter(self, name: str) -> Any:
        request = GetParameters.Request(names=[name])
        value = self.call(GetParameters, f"{NODE}/get_parameters", request).values[0]
        return rclpy.parameter.parameter_value_to_python(value)

    def describe_parameter(self, name: str) -> Any:
        request = DescribeParameters.Request(names=[name])
        return self.call(DescribeParameters, f"{NODE}/describe_parameters", request).descriptors[0]

    def transition(self, transition_id: int, label: str = "") -> bool:
        request = ChangeState.Request()
        request.transition.id = transition_id
        request.transition.label = label
        return self.call(ChangeState, f"{NODE}/change_state", request).success

    def lifecycle_state(self) -> str:
        return self.call(GetState, f"{NODE}/get_state", GetState.Request()).current_state.label

    # -- diagnostics ------------------------------------------------------------------------------

    def next_report(self, name: str = NODE) -> tuple[DiagnosticStatus, dict[str, str]]:
        """The next diagnostics of a node that cover a whole period after this call."""
        self.reports.clear()
        status = self.wait_for(
            lambda: [r for r in self.reports if r.name == name][1:2], f"diagnostics of {name}"
        )[0]
        return status, {entry.key: entry.value for entry in status.values}

    def wait_for_report(
        self, condition: Callable[[DiagnosticStatus], bool], name: str = NODE
    ) -> tuple[DiagnosticStatus, dict[str, str]]:
        """The first diagnostics from now on that meet a condition."""
        self.reports.clear()
        status = self.wait_for(
            lambda: [r for r in self.reports if r.name == name and condition(r)],
            f"diagnostics of {name} that meet the condition",
        )[0]
        return status, {entry.key: entry.value for entry in status.values}

    def release_publisher(self) -> None:
        """Let the video publisher, started with `hold`, begin once the node gets every image."""

        def matched() -> bool:
            reports = [report for report in self.reports if report.name == NODE]
            return bool(reports) and has_publisher({e.key: e.value for e in reports[-1].values})

        PublisherHold(self.node, self.wait_for).release(matched)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        self.reports.extend(message.status)


def only_box(detections: Detection2DArray) -> Box:
    """The box of the one target visible."""
    assert len(detections.detections) == 1
    return box_from_message(detections.detections[0].bbox)


def nanoseconds(header: Header) -> int:
    return stamp_to_nanoseconds(header.stamp)


__all__ = ["NODE", "CompressedImage", "NodeProcess", "Peer", "nanoseconds", "only_box"]
