"""Real DDS: the nodes run as processes of their own, this process is camera and client."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("visual_tracker_msgs.msg", reason="needs the built messages")

# before the first rclpy.init: nobody else's traffic, and room for images
os.environ["ROS_DOMAIN_ID"] = str(1 + os.getpid() % 100)
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
os.environ["FASTRTPS_DEFAULT_PROFILES_FILE"] = str(
    Path(__file__).parents[2] / "config" / "fastdds_big_images.xml"
)

import rclpy

from test.ros.harness import NodeProcess, Peer


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "test/ros/" in str(item.path):
            item.add_marker(pytest.mark.ros)


@pytest.fixture(scope="session", autouse=True)
def _ros() -> Iterator[None]:
    rclpy.init(args=[])
    yield
    rclpy.try_shutdown()


@pytest.fixture
def start_node(tmp_path: Path) -> Iterator[Callable[..., NodeProcess]]:
    """Starts nodes of the package as processes; they end with the test, and must end well."""
    logs = (tmp_path / f"node{number}.log" for number in itertools.count())
    # each is stopped, also when one before it did not end well
    with ExitStack() as processes:

        def start(
            module: str = "tracker_node", *arguments: str, **parameters: object
        ) -> NodeProcess:
            process = NodeProcess(module, next(logs), *arguments, **parameters)
            processes.callback(process.stop)
            return process

        yield start


@pytest.fixture
def peer() -> Iterator[Peer]:
    """Camera and client."""
    peer = Peer()
    yield peer
    peer.close()


@pytest.fixture(scope="module")
def shared_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    """One node for the tests of a module that leave it as they found it."""
    log = tmp_path_factory.mktemp("node") / "tracker_node.log"
    # a busy machine may be late with images; none of these tests is about that
    patience = {"buffer_seconds": 600.0, "image_timeout": 600.0, "init_timeout": 5.0}
    process = NodeProcess("tracker_node", log, tracker="kcf", max_targets=2, **patience)
    yield process
    process.stop()


@pytest.fixture
def camera(shared_node: NodeProcess, peer: Peer) -> Iterator[Peer]:
    """A peer connected to the shared node, which has no target yet; it must live on afterwards."""
    peer.connect()
    peer.clear()
    yield peer
    assert shared_node.alive, shared_node.log
    peer.clear()
