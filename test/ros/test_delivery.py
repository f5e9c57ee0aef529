"""Images that the node never sees, and when what happens to those it sees."""

from __future__ import annotations

from diagnostic_msgs.msg import DiagnosticArray
from std_msgs.msg import Header

from test.ros.harness import NODE, NodeProcess, Peer, nanoseconds
from test.ros.scene import Scene
from visual_tracker.ros import frame_times
from visual_tracker.ros.conversions import image_message
from visual_tracker.ros.delivery import Delivery
from visual_tracker.ros.frame_times import FrameTimes

SCENE = Scene()


def taken(delivery: Delivery, *numbers: int | None) -> Delivery:
    for number in numbers:
        delivery.on_image(number)
    return delivery


def test_gaps_are_images_replaced_unless_the_middleware_has_lost_them() -> None:
    delivery = taken(Delivery(), 1, 2, 5)
    assert (delivery.known, delivery.lost, delivery.replaced) == (True, 0, 2)
    delivery.on_lost(3)
    taken(delivery, 10)
    assert (delivery.lost, delivery.replaced) == (3, 3)


def test_losses_are_not_taken_off_twice_when_they_are_reported_early() -> None:
    delivery = taken(Delivery(), 1)
    delivery.on_lost(4)
    assert delivery.replaced == 0
    assert taken(delivery, 6).replaced == 0
    assert taken(delivery, 8).replaced == 1


def test_what_came_before_the_first_image_is_not_counted() -> None:
    delivery = Delivery()
    delivery.on_lost(100)
    taken(delivery, 101)
    assert (delivery.lost, delivery.replaced) == (0, 0)


def test_what_is_lost_while_nothing_comes_is_known_apart() -> None:
    delivery = Delivery()
    delivery.on_lost(5)  # of nobody
    delivery.on_publishers(1)
    delivery.on_lost(60)
    delivery.on_lost(7)
    assert (delivery.missed, delivery.lost) == (67, 0)
    taken(delivery, 68)
    assert delivery.missed == 0
    delivery.on_lost(2)
    assert (delivery.missed, delivery.lost) == (0, 2)
    delivery.on_publishers(0)
    delivery.on_lost(3)
    assert delivery.missed == 0


def test_another_publisher_numbers_anew() -> None:
    delivery = taken(Delivery(), 1, 3)
    delivery.on_publishers(1)
    taken(delivery, 900, 902)
    assert delivery.replaced == 2


def test_nothing_is_known_with_two_publishers_or_without_numbers() -> None:
    delivery = Delivery()
    delivery.on_publishers(2)
    taken(delivery, 1, 700, 2, 701)
    assert not delivery.known
    delivery.on_publishers(1)
    assert delivery.known
    assert delivery.replaced == 0
    assert not taken(delivery, None).known


def test_every_image_sent_is_received_lost_or_replaced(
    shared_node: NodeProcess, camera: Peer
) -> None:
    def counts() -> dict[str, int]:
        _, values = camera.next_report()
        keys = ("frames_received", "frames_lost_in_transport", "frames_replaced_unseen")
        return {key: int(values[key]) for key in keys}

    camera.send_bgr(SCENE.image(0))
    before = counts()
    sent = camera.sent
    with shared_node.paused():
        for index in range(20):
            camera.publish(image_message(SCENE.image(index), Header()))
    camera.send_bgr(SCENE.image(20))
    after = counts()
    changes = {key: after[key] - before[key] for key in after}
    assert sum(changes.values()) == camera.sent - sent == 21
    # its queue is one deep, and it could take none of them while it stood still
    assert changes["frames_replaced_unseen"] > 0
    assert changes["frames_received"] < 21


def test_the_way_of_an_image_is_told_to_who_asks(camera: Peer) -> None:
    told: list[DiagnosticArray] = []
    subscription = camera.node.create_subscription(
        DiagnosticArray, f"{NODE}/timing", told.append, 10
    )
    camera.init(SCENE.box(0), SCENE.image(0))

    def answered() -> bool:
        camera.send_bgr(SCENE.image(1))
        return bool(told)

    camera.wait_for(answered, "the times of an image")
    message = told[-1]
    assert camera.answer_to(message.header) is not None
    times = frame_times.from_message(message)
    assert message.status[0].name == NODE
    in_order = [nanoseconds(message.header), times.sent, times.arrived, times.taken]
    in_order += [times.tracking_began, times.tracking_ended, times.published]
    assert in_order == sorted(in_order)
    assert times.tracker_seconds > 0
    assert times.own_seconds > 0
    camera.node.destroy_subscription(subscription)
    _, values = camera.next_report()
    assert {"tracker_ms_median", "node_ms_median"} <= values.keys()


def test_frame_times_survive_as_a_message() -> None:
    times = FrameTimes(
        sent=10**18,
        arrived=10**18 + 1,
        taken=10**18 + 2,
        tracking_began=10**18 + 5,
        tracking_ended=10**18 + 1_000_005,
        published=10**18 + 3_000_001,
    )
    assert frame_times.from_message(frame_times.to_message(times, Header(), "node")) == times
    assert times.tracker_seconds == 0.001
    assert times.own_seconds == 0.002
