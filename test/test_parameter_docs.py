"""config/tracker.yaml and docs/parameters.md say what the dataclasses say."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def writer() -> ModuleType:
    pytest.importorskip("rclpy", reason="the node's parameters need ROS 2")
    path = ROOT / "dev" / "write_parameter_docs.py"
    spec = importlib.util.spec_from_file_location("write_parameter_docs", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_config_file_is_up_to_date(writer: ModuleType) -> None:
    assert (ROOT / "config" / "tracker.yaml").read_text() == writer.yaml_text()


def test_document_is_up_to_date(writer: ModuleType) -> None:
    assert (ROOT / "docs" / "parameters.md").read_text() == writer.markdown_text()


def test_config_file_parses_to_the_defaults(writer: ModuleType) -> None:
    yaml = pytest.importorskip("yaml")
    from visual_tracker.ros.node_parameters import NodeParameters
    from visual_tracker.trackers import tracker_class, tracker_names

    loaded = yaml.safe_load((ROOT / "config" / "tracker.yaml").read_text())
    values = loaded["/**"]["ros__parameters"]
    for name in tracker_names():
        parameters = tracker_class(name).parameters_class
        assert parameters.from_mapping(values.pop(name)) == parameters()
    assert NodeParameters.from_mapping(values) == NodeParameters()
