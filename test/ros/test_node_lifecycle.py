"""Lifecycle, parameters, diagnostics, QoS warnings: each on a node of its own."""

from __future__ import annotations

import gc
import re
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticStatus
from lifecycle_msgs.msg import Transition
from rcl_interfaces.msg import Parameter, ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.lifecycle import LifecyclePublisher, LifecycleState, TransitionCallbackReturn
from sensor_msgs.msg import CompressedImage

from test.ros.harness import NODE, NodeProcess, Peer, only_box
from test.ros.scene import Scene
from visual_tracker.boxes import Box
from visual_tracker.parameters import Applies
from visual_tracker.ros.node_parameters import NodeParameters
from visual_tracker.ros.tracker_node import TrackerNode
from visual_tracker.session import TrackingSession
from visual_tracker.trackers import tracker_class, tracker_names

SCENE = Scene()
StartNode = Callable[..., NodeProcess]


def test_lifecycle_step_by_step(start_node: StartNode, peer: Peer) -> None:
    node = start_node(tracker="kcf", autostart=False)
    assert peer.lifecycle_state() == "unconfigured"
    _, values = peer.next_report()
    assert values["device"] == "none"
    assert peer.transition(Transition.TRANSITION_CONFIGURE)
    assert peer.lifecycle_state() == "inactive"
    _, values = peer.next_report()
    assert values["device"] == "cpu"

    refused = peer.init_at(SCENE.box(0), peer.header().stamp)
    assert not refused.success
    assert "not active" in refused.message

    assert peer.transition(Transition.TRANSITION_ACTIVATE)
    peer.connect()
    assert peer.init(SCENE.box(0), SCENE.image(0), target_id="mine").success

    assert peer.transition(Transition.TRANSITION_DEACTIVATE)
    published = len(peer.detections)
    for index in range(5):
        peer.publish(_message(index))
    peer.next_report()
    assert len(peer.detections) == published

    # the target was kept
    assert peer.transition(Transition.TRANSITION_ACTIVATE)
    peer.connect()
    detections = peer.send_bgr(SCENE.image(1))
    assert detections.detections[0].id == "mine"
    assert only_box(detections).iou(SCENE.box(1)) > 0.7

    assert peer.transition(Transition.TRANSITION_DEACTIVATE)
    assert peer.transition(Transition.TRANSITION_CLEANUP)
    assert peer.lifecycle_state() == "unconfigured"
    _, values = peer.next_report()
    assert (values["device"], values["targets"]) == ("none", "0")
    assert peer.transition(Transition.TRANSITION_CONFIGURE)
    assert peer.transition(Transition.TRANSITION_ACTIVATE)
    peer.connect()
    assert peer.send_bgr(SCENE.image(0)).detections == []
    assert node.alive


def test_transition_that_is_not_possible_is_refused_and_the_targets_live_on(
    start_node: StartNode, peer: Peer
) -> None:
    node = start_node(tracker="kcf")
    peer.connect()
    assert peer.init(SCENE.box(0), SCENE.image(0), target_id="mine").success
    for transition in (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE, 200):
        assert not peer.transition(transition)
        assert f"no transition '{transition}' from state 'active'" in node.log
    assert not peer.transition(0, label="teleport")
    assert peer.lifecycle_state() == "active"
    assert only_box(peer.send_bgr(SCENE.image(1))).iou(SCENE.box(1)) > 0.7


def test_request_that_rclpy_fails_of_is_logged_and_the_targets_live_on(
    tmp_path: Path, peer: Peer
) -> None:
    node = NodeProcess("tracker_node", tmp_path / "node.log", tracker="kcf")
    try:
        peer.connect()
        assert peer.init(SCENE.box(0), SCENE.image(0), target_id="mine").success
        value = ParameterValue(type=99)
        request = SetParameters.Request(parameters=[Parameter(name="kcf.pca", value=value)])
        peer.begin(SetParameters, f"{NODE}/set_parameters", request)
        peer.wait_for(lambda: "the node goes on: " in node.log, "a line in the log")
        assert only_box(peer.send_bgr(SCENE.image(1))).iou(SCENE.box(1)) > 0.7
        assert peer.set_parameter("kcf.min_visible", 0.5).successful
    finally:
        node.interrupt()
        assert node.wait() == 0, node.log


def _message(index: int):
    from std_msgs.msg import Header

    from visual_tracker.ros.conversions import image_message

    return image_message(SCENE.image(index), Header())


def test_cleanup_frees_every_tracker(monkeypatch: pytest.MonkeyPatch) -> None:
    cls = tracker_class("kcf")
    made: list[weakref.ref] = []
    original = cls.__init__

    def remember(self, *args, **kwargs):
        made.append(weakref.ref(self))
        original(self, *args, **kwargs)

    monkeypatch.setattr(cls, "__init__", remember)
    node = _kcf_node()
    node.trigger_configure()
    assert made
    assert all(tracker() is not None for tracker in made)
    node.trigger_cleanup()
    gc.collect()
    assert all(tracker() is None for tracker in made)
    node.destroy_node()


def _kcf_node(*arguments: str) -> TrackerNode:
    """A node in this process, so that what it is made of can be broken."""
    parameters = [rclpy.parameter.Parameter("tracker", value="kcf")]
    return TrackerNode(parameter_overrides=parameters, cli_args=["--ros-args", *arguments])


def test_service_that_fails_of_a_bug_answers_with_it(
    monkeypatch: pytest.MonkeyPatch, peer: Peer
) -> None:
    def broken(_session: TrackingSession) -> None:
        raise ZeroDivisionError("of the test")

    monkeypatch.setattr(TrackingSession, "clear_targets", broken)
    node = _kcf_node()
    with peer.spinning(node):
        node.trigger_configure()
        node.trigger_activate()
        response = peer.clear()
    assert not response.success
    assert "failed: ZeroDivisionError('of the test')" in response.message


def test_node_that_cannot_subscribe_stays_inactive_and_says_why(peer: Peer) -> None:
    node = _kcf_node("-r", "image:=/tracker_node/detections")
    with peer.spinning(node):
        node.trigger_configure()
        assert node.trigger_activate() == TransitionCallbackReturn.FAILURE
        assert peer.lifecycle_state() == "inactive"
        status, values = peer.next_report()
        assert status.level == DiagnosticStatus.ERROR
        assert "cannot subscribe to /tracker_node/detections" in status.message
        assert values["lifecycle_state"] == "inactive"
        # nothing is left behind that would not be there after a deactivation
        assert peer.transition(Transition.TRANSITION_CLEANUP)
        assert peer.next_report()[0].message == "unconfigured"


def test_transition_that_raises_leaves_a_node_that_can_be_configured(
    monkeypatch: pytest.MonkeyPatch, peer: Peer
) -> None:
    def broken(_publisher: LifecyclePublisher, _state: LifecycleState) -> None:
        raise ZeroDivisionError("of the test")

    node = _kcf_node()
    with peer.spinning(node):
        node.trigger_configure()
        node.trigger_activate()
        with monkeypatch.context() as patch:
            patch.setattr(LifecyclePublisher, "on_deactivate", broken)
            assert not peer.transition(Transition.TRANSITION_DEACTIVATE)
        assert peer.lifecycle_state() == "unconfigured"
        status, values = peer.next_report()
        assert "transition of the lifecycle failed" in status.message
        assert (values["lifecycle_state"], values["device"]) == ("unconfigured", "none")
        assert peer.transition(Transition.TRANSITION_CONFIGURE)
        assert peer.transition(Transition.TRANSITION_ACTIVATE)
        peer.connect()
        assert "failed" not in peer.next_report()[0].message


def test_every_dataclass_parameter_is_declared_with_type_range_and_description(
    start_node: StartNode, peer: Peer
) -> None:
    start_node(tracker="kcf")
    groups = {"": NodeParameters}
    groups |= {f"{name}.": tracker_class(name).parameters_class for name in tracker_names()}
    for prefix, parameters in groups.items():
        for spec in parameters.specs():
            name = prefix + spec.name
            described = peer.describe_parameter(name)
            assert described.description == spec.description
            assert described.read_only == (spec.applies is Applies.AT_RESTART)
            ranges = [*described.floating_point_range, *described.integer_range]
            bounded = spec.minimum is not None or spec.maximum is not None
            assert bool(ranges) == bounded, name
            if ranges and spec.minimum is not None:
                assert ranges[0].from_value == spec.minimum
            if ranges and spec.maximum is not None:
                assert ranges[0].to_value == spec.maximum
            if name != "tracker":
                assert peer.get_parameter(name) == spec.default


def test_parameters_at_run_time(start_node: StartNode, peer: Peer) -> None:
    node = start_node(tracker="kcf")
    peer.connect()
    assert peer.init(SCENE.box(0), SCENE.image(0)).success
    for name, value, reason in (
        ("kcf.min_visible", 1.5, "min_visible"),
        ("kcf.min_visible", "much", ""),
        ("max_targets", 3, "read-only"),
        ("kcf.no_such_thing", 1.0, ""),
    ):
        result = peer.set_parameter(name, value)
        assert not result.successful, name
        assert reason in result.reason
    assert peer.get_parameter("kcf.min_visible") == 0.25

    # at once: nothing that reaches over the border is visible enough any more
    assert only_box(peer.send_bgr(SCENE.image(1))).iou(SCENE.box(1)) > 0.7
    assert peer.set_parameter("kcf.min_visible", 1.0).successful
    assert peer.init(Box(0, 0, 30, 30), SCENE.image(0), target_id="corner").success
    # at the next init: no response is that high, so every frame is a loss
    assert peer.set_parameter("kcf.detect_thresh", 1.0).successful
    assert peer.init(SCENE.box(1), SCENE.image(1), target_id="strict").success
    for index in range(2, 5):
        detections = peer.send_bgr(SCENE.image(index))
    visible = {d.id for d in detections.detections}
    assert "target_1" in visible
    assert "strict" not in visible
    assert node.alive


def test_values_that_exclude_each_other_are_refused(start_node: StartNode, peer: Peer) -> None:
    start_node(tracker="kcf")
    assert peer.set_parameter("mdnet.attention", True).successful
    refused = peer.set_parameter("mdnet.adversarial", True)
    assert not refused.successful
    assert "'attention' and 'adversarial'" in refused.reason
    assert peer.get_parameter("mdnet.adversarial") is False
    assert peer.set_parameter("mdnet.attention", False).successful
    assert peer.set_parameter("mdnet.adversarial", True).successful


def test_values_that_exclude_each_other_at_start_are_named_and_can_be_set_right(
    start_node: StartNode, peer: Peer
) -> None:
    node = start_node(tracker="kcf", mdnet__attention=True, mdnet__adversarial=True)
    status, _ = peer.next_report()
    assert status.level == DiagnosticStatus.ERROR
    assert "'attention' and 'adversarial'" in status.message
    assert peer.get_parameter("mdnet.attention") is True
    assert peer.get_parameter("mdnet.adversarial") is False
    assert peer.set_parameter("mdnet.adversarial", False).successful
    assert peer.transition(Transition.TRANSITION_CONFIGURE)
    assert node.alive


def test_parameter_that_a_tracker_does_not_take_is_logged(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], peer: Peer
) -> None:
    def broken(_tracker: object, _changes: object) -> None:
        raise ZeroDivisionError("of the test")

    log = ""

    def logged() -> bool:
        nonlocal log
        log += capfd.readouterr().err
        return "did not take the parameters: ZeroDivisionError('of the test')" in log

    monkeypatch.setattr(tracker_class("kcf"), "set_parameters", broken)
    node = _kcf_node()
    with peer.spinning(node):
        node.trigger_configure()
        assert peer.set_parameter("kcf.min_visible", 0.5).successful
        peer.wait_for(logged, "a line in the log")


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("kcf__detect_thresh", 7.0, "detect_thresh"),
        ("max_targets", 0, "max_targets"),
        ("image_transport", "pigeon", "image_transport"),
        ("tracker", "kfc", "did you mean 'kcf'"),
        ("device", "cuda", "CPU only"),
    ],
)
def test_bad_value_at_start_leaves_the_node_alive_and_says_so(
    start_node: StartNode, peer: Peer, name: str, value: object, reason: str
) -> None:
    node = start_node(**{"tracker": "kcf", name: value})
    status, values = peer.next_report()
    assert status.level == DiagnosticStatus.ERROR
    assert reason in status.message
    assert values["lifecycle_state"] == "unconfigured"
    assert peer.lifecycle_state() == "unconfigured"
    assert reason in node.log
    assert node.alive


def test_bad_value_at_start_can_be_set_right(start_node: StartNode, peer: Peer) -> None:
    start_node(tracker="kcf", kcf__detect_thresh=7.0)
    assert peer.set_parameter("kcf.detect_thresh", 0.4).successful
    assert peer.transition(Transition.TRANSITION_CONFIGURE)
    assert peer.transition(Transition.TRANSITION_ACTIVATE)
    assert peer.lifecycle_state() == "active"


def test_integer_for_a_double_and_a_misspelt_name_at_start(
    start_node: StartNode, peer: Peer
) -> None:
    node = start_node(tracker="kcf", kcf__min_visible=0, kcf__detect_tresh=0.3)
    peer.wait_for(lambda: "configured" in node.log, "the node to be configured")
    assert peer.get_parameter("kcf.min_visible") == 0.0
    assert "did you mean 'kcf.detect_thresh'" in node.log
    assert peer.lifecycle_state() == "active"


def test_diagnostics_go_from_error_over_ok_to_warn(start_node: StartNode, peer: Peer) -> None:
    start_node(tracker="kcf", image_timeout=0.5)
    status, _ = peer.wait_for_report(lambda status: status.level == DiagnosticStatus.ERROR)
    assert status.message == "no images: nobody publishes /image"
    peer.connect()

    def keep_sending(level: bytes, image, **wanted: str) -> dict[str, str]:
        def arrived() -> dict[str, str] | None:
            peer.send_bgr(image)
            reports = [r for r in peer.reports if r.name == "/tracker_node" and r.level == level]
            found = [{"message": r.message} | {e.key: e.value for e in r.values} for r in reports]
            return next((values for values in found if wanted.items() <= values.items()), None)

        peer.reports.clear()
        return peer.wait_for(arrived, f"diagnostics of level {level!r} with {wanted}")

    values = keep_sending(DiagnosticStatus.OK, SCENE.image(0))
    assert values["message"] == "waiting for a target"
    assert values["publishers"] == "1"
    peer.init(SCENE.box(0), SCENE.image(0), target_id="mine")
    values = keep_sending(DiagnosticStatus.OK, SCENE.image(0), targets="1")
    assert values["tracker"] == "kcf"
    assert values["device"] == "cpu"
    assert float(values["tracking_rate_hz"]) > 0
    assert float(values["latency_ms_median"]) > 0
    values = keep_sending(DiagnosticStatus.WARN, Scene(640, 480).image(0))
    assert values["message"] == "lost: mine"
    assert values["target mine"].startswith("lost for")


def test_diagnostics_come_without_a_simulations_clock(start_node: StartNode, peer: Peer) -> None:
    start_node(tracker="kcf", use_sim_time=True, image_timeout=0.5)
    _, values = peer.wait_for_report(lambda status: status.level == DiagnosticStatus.ERROR)
    assert values["lifecycle_state"] == "active"


def test_qos_that_does_not_fit_is_named(start_node: StartNode, peer: Peer) -> None:
    node = start_node(tracker="kcf", image_reliability="reliable")
    peer._publisher(type(_message(0)), "best_effort")
    # the name of the publisher may be discovered later than its QoS
    peer.wait_for(
        lambda: re.search(r"the QoS of /peer on /image .*image_reliability", node.log),
        "a warning about the publisher's QoS",
    )
    assert peer.next_report()[1]["publishers"] == "0"
    assert node.alive


def test_publishers_matched_are_reported(start_node: StartNode, peer: Peer) -> None:
    start_node(tracker="kcf")

    def reported(count: str) -> Callable[[DiagnosticStatus], bool]:
        return lambda status: ("publishers", count) in [(e.key, e.value) for e in status.values]

    def replaced() -> str:
        return peer.next_report()[1]["frames_replaced_unseen"]

    publishers = [peer.node.create_publisher(type(_message(0)), "/image", 1) for _ in range(2)]
    peer.wait_for_report(reported("2"))
    # nobody says whose number an image carries
    assert replaced() == "unknown"
    peer.node.destroy_publisher(publishers[0])
    peer.wait_for_report(reported("1"))
    assert replaced() == "0"


def test_topic_of_the_wrong_name_is_named(start_node: StartNode, peer: Peer) -> None:
    node = start_node(tracker="kcf", image_timeout=0.5)
    publisher = peer.node.create_publisher(type(_message(0)), "/somewhere/else", 1)
    peer.wait_for(lambda: "published on /somewhere/else" in node.log, "a hint at the topic")
    peer.node.destroy_publisher(publisher)


@pytest.mark.parametrize(
    ("remappings", "topic"),
    [
        (["-r", "image:=/camera/rgb"], "/camera/rgb/compressed"),
        (["-r", "image/compressed:=/other/jpeg"], "/other/jpeg"),
    ],
)
def test_compressed_topic_follows_remappings(
    start_node: StartNode, peer: Peer, remappings: list[str], topic: str
) -> None:
    start_node("tracker_node", "--ros-args", *remappings, image_transport="compressed")
    publisher = peer.node.create_publisher(CompressedImage, topic, 1)
    peer.wait_for(publisher.get_subscription_count, f"a subscription to {topic}")
