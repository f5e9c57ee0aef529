"""What can be checked of the launch files without the launch packages, which PyPI does not have.

They are executed with recording stand-ins for `launch` and `launch_ros`: what they ask for must
exist - executables, parameters, files - and the arguments must do what they say. That upstream's
classes take these calls is for a machine with ROS to show.
"""

from __future__ import annotations

import configparser
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("ament_index_python", reason="needs ROS 2")

from visual_tracker.parameters import Parameters
from visual_tracker.ros.node_parameters import NodeParameters
from visual_tracker.ros.video_publisher import PublisherParameters

ROOT = Path(__file__).parents[1]
PROFILE = "FASTRTPS_DEFAULT_PROFILES_FILE"


class Recorded(SimpleNamespace):
    """One call of a stand-in: its class, arguments and keywords."""

    def __init__(self, kind: str, *arguments: Any, **keywords: Any) -> None:
        super().__init__(kind=kind, positional=arguments, **keywords)


class LaunchConfiguration:
    def __init__(self, name: str) -> None:
        self.name = name

    def perform(self, context: dict[str, str]) -> str:
        return context[self.name]


def _recorder(kind: str) -> Any:
    return lambda *arguments, **keywords: Recorded(kind, *arguments, **keywords)


@pytest.fixture(autouse=True)
def _stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {
        "launch": ("LaunchDescription", "LaunchContext"),
        "launch.actions": (
            "DeclareLaunchArgument",
            "IncludeLaunchDescription",
            "OpaqueFunction",
            "SetEnvironmentVariable",
        ),
        "launch.launch_description_sources": ("PythonLaunchDescriptionSource",),
        "launch.substitutions": (),
        "launch_ros": (),
        "launch_ros.actions": ("Node",),
        "launch_ros.parameter_descriptions": ("ParameterValue",),
    }
    for module_name, classes in names.items():
        module = ModuleType(module_name)
        for name in classes:
            setattr(module, name, _recorder(name))
        monkeypatch.setitem(sys.modules, module_name, module)
    sys.modules["launch.substitutions"].LaunchConfiguration = LaunchConfiguration
    monkeypatch.delenv(PROFILE, raising=False)


def load(name: str) -> Any:
    path = ROOT / "launch" / name
    spec = importlib.util.spec_from_file_location(name.replace(".", "_"), path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def actions(name: str, kind: str) -> list[Recorded]:
    (entities,) = load(name).generate_launch_description().positional
    return [entity for entity in entities if entity.kind == kind]


def tracker_nodes(**given: str) -> list[Recorded]:
    declared = actions("tracker.launch.py", "DeclareLaunchArgument")
    values = {a.positional[0]: getattr(a, "default_value", None) for a in declared} | given
    (opaque,) = actions("tracker.launch.py", "OpaqueFunction")
    return opaque.function(values)


@pytest.mark.parametrize(
    ("launch_file", "required"), [("tracker.launch.py", "image"), ("demo.launch.py", "video")]
)
def test_one_argument_is_required_and_all_are_described(launch_file: str, required: str) -> None:
    arguments = actions(launch_file, "DeclareLaunchArgument")
    assert [a.positional[0] for a in arguments if not hasattr(a, "default_value")] == [required]
    assert all(a.description for a in arguments)


def _executables() -> set[str]:
    text = (ROOT / "setup.py").read_text()
    return {
        line.split('"')[1].split(" = ")[0] for line in text.splitlines() if " = visual_" in line
    }


def _known(parameters: type[Parameters], given: dict[str, Any]) -> bool:
    return set(given) <= {spec.name for spec in parameters.specs()}


def test_tracker_node_exists_and_takes_what_it_is_given() -> None:
    (node,) = tracker_nodes(image="/cam", tracker="kcf", device="cpu", namespace="front")
    assert node.package == "visual_tracker"
    assert node.executable in _executables()
    assert node.namespace == "front"
    assert node.remappings == [("image", "/cam")]
    params_file, overrides = node.parameters
    assert Path(params_file).is_file()
    assert overrides == {"tracker": "kcf", "device": "cpu"}
    assert _known(NodeParameters, overrides)


def test_nothing_overrides_the_params_file_unless_given() -> None:
    (node,) = tracker_nodes(image="/cam", params_file="mine.yaml")
    assert node.parameters == ["mine.yaml"]


def test_viewer_only_if_asked_for() -> None:
    assert len(tracker_nodes(image="/cam")) == 1
    assert len(tracker_nodes(image="/cam", debug_image="true")) == 2


def test_several_cameras_are_nodes_of_one_process() -> None:
    node, *viewers = tracker_nodes(
        image="image_raw", cameras="front rear", namespace="robot", debug_image="true"
    )
    assert node.arguments == ["robot/front", "robot/rear"]
    assert node.namespace is None  # any other would be that of both, "" (the root) as well
    assert node.remappings == [("image", "image_raw")]
    assert [viewer.namespace for viewer in viewers] == ["robot/front", "robot/rear"]
    (alone,) = tracker_nodes(image="/cam", namespace="robot")
    assert (alone.arguments, alone.namespace) == ([], "robot")


def test_namespaces_may_begin_with_a_slash() -> None:
    node, *_ = tracker_nodes(image="image_raw", cameras="/front rear", namespace="/robot")
    assert node.arguments == ["robot/front", "robot/rear"]
    node, *_ = tracker_nodes(image="image_raw", cameras="/front")
    assert node.arguments == ["front"]


def test_dds_profile_is_set_unless_the_user_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    (profile,) = actions("tracker.launch.py", "SetEnvironmentVariable")
    name, path = profile.positional
    assert name == PROFILE
    assert "67108864" in Path(path).read_text()
    monkeypatch.setitem(os.environ, PROFILE, "mine.xml")
    assert actions("tracker.launch.py", "SetEnvironmentVariable") == []


def test_demo_gives_the_camera_parameters_that_exist_and_joins_the_topics() -> None:
    (camera,) = actions("demo.launch.py", "Node")
    assert camera.executable in _executables()
    (given,) = camera.parameters
    assert _known(PublisherParameters, given)
    (include,) = actions("demo.launch.py", "IncludeLaunchDescription")
    passed = dict(include.launch_arguments)
    ((_, topic),) = camera.remappings
    assert passed["image"] == topic
    declared = actions("tracker.launch.py", "DeclareLaunchArgument")
    assert set(passed) <= {a.positional[0] for a in declared}


def test_executables_are_where_launch_looks_for_them() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    assert setup["install"]["install_scripts"] == "$base/lib/visual_tracker"
