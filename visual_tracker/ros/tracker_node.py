"""The node: images in, boxes out, targets by service. It converts and schedules, no more.

Threads: the subscription's takes images and hands them over; the session's worker tracks and
publishes; the executor's takes services, parameters and timers. Only the worker waits for trackers.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future as WorkerFuture
from functools import partial, wraps
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.srv import ChangeState
from rclpy._rclpy_pybind11 import RCLError
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from sensor_msgs.msg import CompressedImage, Image

from visual_tracker.parameters import ParameterError
from visual_tracker.ros import conversions, diagnostics
from visual_tracker.ros.delivery import Delivery
from visual_tracker.ros.frame_times import Arrival
from visual_tracker.ros.image_subscription import ImageSubscription
from visual_tracker.ros.log_throttle import LogThrottle
from visual_tracker.ros.node_parameters import NodeParameters
from visual_tracker.ros.parameters import ParameterServer
from visual_tracker.ros.qos import explain_silence, image_qos
from visual_tracker.ros.results import ResultPublisher
from visual_tracker.ros.spinning import run, run_all
from visual_tracker.ros.target_services import TargetServices
from visual_tracker.ros.topics import image_topic
from visual_tracker.session import (
    FrameResult,
    SessionSettings,
    Statistics,
    TrackingSession,
)
from visual_tracker.targets import TargetError
from visual_tracker.trackers import (
    Tracker,
    TrackerUnavailableError,
    tracker_class,
    tracker_names,
)

_STATISTICS_ZERO = Statistics()

#: a transition of the node's lifecycle
_Transition = Callable[["TrackerNode", LifecycleState], TransitionCallbackReturn]


def _logged(transition: _Transition) -> _Transition:
    """Log what a transition raises: rclpy only takes it for an error, and drops it."""

    @wraps(transition)
    def logged(node: TrackerNode, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            return transition(node, state)
        except Exception:
            node.get_logger().error(f"internal error: {traceback.format_exc()}")
            raise

    return logged


class TrackerNode(LifecycleNode):
    """Tracks targets in a camera's images.

    unconfigured -> (configure: the model is loaded) -> inactive -> (activate: images are taken and
    results published) -> active. Deactivating keeps the targets; cleaning up frees the model.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("tracker_node", **kwargs)
        self._server = ParameterServer(self)
        self._server.declare(NodeParameters)
        for name in tracker_names():
            self._server.declare(tracker_class(name).parameters_class, prefix=f"{name}.")
        for line in self._server.unknown():
            self.get_logger().warning(line)
        self.add_post_set_parameters_callback(self._on_parameters_changed)
        self._settings = self._server.values(NodeParameters)
        self._problem = ""
        self._session: TrackingSession | None = None
        self._device = "none"
        self._lifecycle_state = "unconfigured"
        self._subscription: ImageSubscription | None = None
        self._delivery = Delivery()
        self._durations = diagnostics.DurationLog()
        self._last_statistics = _STATISTICS_ZERO
        self._last_report = self._last_image = time.monotonic()
        self._throttle = LogThrottle()
        self._create_interfaces()
        self._guard_transitions()

    @property
    def _active(self) -> bool:
        return self._lifecycle_state == "active"

    @property
    def autostart(self) -> bool:
        """Whether the node should configure and activate itself."""
        return self._settings.autostart

    def _create_interfaces(self) -> None:
        self._results = ResultPublisher(self)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._target_services = TargetServices(self, self._serving_session)
        # by a clock that always runs: with use_sim_time the node's own waits for /clock
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._report_timer = self.create_timer(1.0, self._report, clock=steady)

    # -- lifecycle --------------------------------------------------------------------------------

    def _guard_transitions(self) -> None:
        """Have a transition refused that is not possible now; rclpy's service raises instead."""
        (service,) = [s for s in self.services if s.srv_type is ChangeState]
        service.callback = partial(self._on_change_state, service.callback)

    def _on_change_state(
        self,
        change: Callable[[ChangeState.Request, ChangeState.Response], ChangeState.Response],
        request: ChangeState.Request,
        response: ChangeState.Response,
    ) -> ChangeState.Response:
        try:
            return change(request, response)
        except RCLError:
            wanted = request.transition.label or request.transition.id
            self.get_logger().error(
                f"change_state: refused: there is no transition '{wanted}' from state "
                f"'{self._lifecycle_state}'; ~/get_available_transitions lists those that there are"
            )
            response.success = False
            return response

    @_logged
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the tracker's model."""
        self._settings = self._server.values(NodeParameters)
        self._problem = "; ".join(self._server.problems)
        if not self._problem:
            try:
                self._session = self._new_session()
            except (ParameterError, TrackerUnavailableError) as error:
                self._problem = str(error)
            except Exception as error:  # a model that cannot be loaded must not end the node
                self._problem = f"tracker '{self._settings.tracker}' could not be made: {error!r}"
        if self._problem:
            self.get_logger().error(f"not configured: {self._problem}")
            return TransitionCallbackReturn.FAILURE
        self.get_logger().info(
            f"configured: tracker '{self._settings.tracker}' on {self._device}, "
            f"up to {self._settings.max_targets} targets"
        )
        self._lifecycle_state = "inactive"
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Take images and publish."""
        self._problem = ""
        result = super().on_activate(state)
        self._last_image = time.monotonic()
        # before the first image can come
        self._lifecycle_state = "active"
        try:
            self._subscribe()
        except Exception as error:  # such as a topic that this node knows by another type
            self._lifecycle_state = "inactive"
            super().on_deactivate(state)
            self._problem = f"cannot subscribe to {self._image_topic}: {error}"
            hint = self._explain_silence()
            self.get_logger().error(f"not activated: {self._problem} ({hint})")
            return TransitionCallbackReturn.FAILURE
        return result

    @_logged
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Take no more images; the targets are kept."""
        self._lifecycle_state = "inactive"
        self._unsubscribe()
        return super().on_deactivate(state)

    @_logged
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the model; the targets are gone."""
        self._lifecycle_state = "unconfigured"
        self._free()
        return super().on_cleanup(state)

    @_logged
    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything."""
        self._lifecycle_state = "finalized"
        self._unsubscribe()
        self._free()
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """After a transition that raised: free everything, so that the node can be configured."""
        self._lifecycle_state = "unconfigured"
        self._unsubscribe()
        self._free()
        self._problem = "a transition of the lifecycle failed; the log says of what"
        self.get_logger().error(
            "unconfigured after that error, targets are gone; configure it again"
        )
        return super().on_error(state)

    def destroy_node(self) -> None:
        """Stop the threads before what they take from and publish on goes."""
        self._lifecycle_state = "finalized"
        self._unsubscribe()
        self._free()
        super().destroy_node()

    def _new_session(self) -> TrackingSession:
        settings = self._settings
        return TrackingSession(
            self._new_tracker,
            settings.max_targets,
            on_result=self._publish,
            on_problem=self._warn,
            needs_image=self._debug_wanted,
            settings=SessionSettings(
                buffer_seconds=settings.buffer_seconds,
                buffer_bytes=settings.buffer_megabytes * 1_000_000,
                init_timeout=settings.init_timeout,
                catch_up_frames=settings.catch_up_frames,
            ),
        )

    def _new_tracker(self) -> Tracker:
        cls = tracker_class(self._settings.tracker)
        parameters = self._server.values(cls.parameters_class, prefix=f"{cls.name}.")
        tracker = cls(parameters, self._settings.device)
        self._device = tracker.device
        return tracker

    def _free(self) -> None:
        # forgotten first: what cannot be closed must not stand in the way again
        session, self._session = self._session, None
        if session is not None:
            session.close()
        self._problem = ""
        self._device = "none"
        self._last_statistics = _STATISTICS_ZERO
        self._delivery = Delivery()

    # -- images -----------------------------------------------------------------------------------

    @property
    def _image_topic(self) -> str:
        """Where images come from."""
        return image_topic(self, self._settings.image_transport)

    def _subscribe(self) -> None:
        raw = self._settings.image_transport == "raw"
        self._subscription = ImageSubscription(
            self,
            Image if raw else CompressedImage,
            self._image_topic,
            image_qos(self._settings.image_reliability),
            self._delivery,
            on_image=self._on_raw if raw else self._on_compressed,
            on_matched=self._on_matched,
            on_mismatch=self._warn_of_mismatch,
            on_problem=self._warn,
        )

    def _unsubscribe(self) -> None:
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            subscription.close()

    def _on_matched(self) -> None:
        """Report at once: who holds a camera back until this node can hear it waits for this."""
        self._report()

    def _on_raw(self, message: Image, arrival: Arrival) -> None:
        self._submit(conversions.RawFrame(message, arrival))

    def _on_compressed(self, message: CompressedImage, arrival: Arrival) -> None:
        self._submit(conversions.CompressedFrame(message, arrival))

    def _submit(self, frame: conversions.RawFrame | conversions.CompressedFrame) -> None:
        self._last_image = time.monotonic()
        if self._session is not None and self._active:
            self._session.submit(frame)

    def _debug_wanted(self) -> bool:
        """On the worker's thread: whether images are to be decoded though there is no target."""
        return self._active and self._results.wants_image()

    def _publish(self, result: FrameResult) -> None:
        """On the worker's thread: everything that one frame gives."""
        if self._active and self.context.ok():
            durations = self._results.publish(result, self._settings.tracker)
            if durations is not None:
                self._durations.add(durations)

    # -- services ---------------------------------------------------------------------------------

    def _serving_session(self) -> TrackingSession:
        """The session that services may ask.

        Raises:
            TargetError: if there is none now.
        """
        if self._session is None or not self._active:
            why = f" ({self._problem})" if self._problem else ""
            raise TargetError(f"the node is {self._lifecycle_state}, not active{why}")
        return self._session

    # -- parameters -------------------------------------------------------------------------------

    def _on_parameters_changed(self, changed: list[Parameter]) -> None:
        self._settings = self._server.values(NodeParameters)
        changes = self._server.changes_in(changed, prefix=f"{self._settings.tracker}.")
        if self._session is not None and changes:
            applied = self._session.set_tracker_parameters(changes)
            applied.add_done_callback(self._on_parameters_applied)

    def _on_parameters_applied(self, applied: WorkerFuture[None]) -> None:
        """On the worker's thread: they were checked before, so a failure here is a bug."""
        error = applied.exception()
        if error is not None:
            self.get_logger().error(f"the trackers did not take the parameters: {error!r}")

    # -- what goes wrong, and diagnostics ---------------------------------------------------------

    def _warn(self, problem: str) -> None:
        """Log a problem, each kind every few seconds at most."""
        if self._throttle.admits(problem):
            self.get_logger().error(problem)

    def _silence(self) -> str:
        """Why no image has come for `image_timeout`; empty if one has, or none is expected."""
        late = time.monotonic() - self._last_image >= self._settings.image_timeout
        return self._explain_silence() if self._active and late else ""

    def _explain_silence(self) -> str:
        kind = "Image" if self._settings.image_transport == "raw" else "CompressedImage"
        qos = image_qos(self._settings.image_reliability)
        missed = self._delivery.missed
        return explain_silence(self, self._image_topic, f"sensor_msgs/msg/{kind}", qos, missed)

    def _warn_of_mismatch(self, _event: object) -> None:
        self._warn(f"images do not come: {self._explain_silence()}")

    def _report(self) -> None:
        """Publish diagnostics, and say in the log if images are missing."""
        now = time.monotonic()
        statistics = _STATISTICS_ZERO if self._session is None else self._session.statistics
        last, self._last_statistics = self._last_statistics, statistics
        seconds, self._last_report = now - self._last_report, now
        silence = self._silence()
        if silence:
            self._warn(f"no images: {silence}")
        snapshot = diagnostics.Snapshot(
            hardware=self._device,
            tracker=self._settings.tracker,
            state=self._lifecycle_state,
            problem=self._problem,
            silence=silence,
            publishers=self._subscription.publishers if self._subscription else 0,
            seconds=seconds,
            statistics=statistics,
            received=statistics.received - last.received,
            tracked=statistics.tracked - last.tracked,
            bad=statistics.bad - last.bad,
            durations=self._durations.take(),
            delivery=self._delivery,
            targets=() if self._session is None else self._session.reports,
        )
        report = DiagnosticArray(
            status=[diagnostics.status(self.get_fully_qualified_name(), snapshot)]
        )
        report.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(report)


def _autostart(node: TrackerNode) -> None:
    if node.autostart and node.trigger_configure() == TransitionCallbackReturn.SUCCESS:
        node.trigger_activate()


def main(args: list[str] | None = None) -> None:
    """Entry point of `ros2 run visual_tracker tracker_node [NAMESPACE ...]`.

    Each namespace gets a node of its own, for a camera of its own, in this one process: trackers
    that run the same network share it.
    """
    namespaces = rclpy.utilities.remove_ros_args(args)[1:]
    rclpy.init(args=args)
    if not namespaces:
        run(TrackerNode, _autostart)
        return
    run_all(
        [partial(TrackerNode, namespace=name) for name in dict.fromkeys(namespaces)], _autostart
    )


if __name__ == "__main__":
    main()
