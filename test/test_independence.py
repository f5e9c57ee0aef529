"""The library and the command line need no ROS."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "visual_tracker"

#: what comes with ROS
ROS_PACKAGES = frozenset(
    {
        "ament_index_python",
        "builtin_interfaces",
        "cv_bridge",
        "diagnostic_msgs",
        "geometry_msgs",
        "launch",
        "launch_ros",
        "lifecycle_msgs",
        "rcl_interfaces",
        "rclpy",
        "rosidl_runtime_py",
        "sensor_msgs",
        "std_msgs",
        "std_srvs",
        "vision_msgs",
        "visual_tracker_msgs",
    }
)

BLOCKER = f"""
import sys

class NoRos:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {sorted(ROS_PACKAGES)}:
            raise ModuleNotFoundError(f"{{name}} is not installed", name=name)

sys.meta_path.insert(0, NoRos())
sys.path.insert(0, {str(ROOT)!r})
"""


def python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run code in an interpreter that finds this package and no ROS."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, "-c", BLOCKER + code, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


def imports_of(path: Path) -> set[str]:
    """Every module that a file imports, also inside its functions."""
    modules = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules.add("." * node.level + (node.module or ""))
    return modules


def test_the_blocker_blocks() -> None:
    run = python("import rclpy")
    assert run.returncode != 0
    assert "rclpy is not installed" in run.stderr


def test_only_the_ros_folder_imports_what_comes_with_ros() -> None:
    files = sorted(PACKAGE.rglob("*.py"))
    inside = [path for path in files if PACKAGE / "ros" in path.parents]
    outside = [path for path in files if path not in inside]
    assert len(outside) > 10
    for path in outside:
        modules = imports_of(path)
        assert not {name for name in modules if name.split(".")[0] in ROS_PACKAGES}, path
        assert not {name for name in modules if name.startswith("visual_tracker.ros")}, path
    # the same look finds them where they are
    assert any("rclpy" in {name.split(".")[0] for name in imports_of(path)} for path in inside)


def test_the_library_tracks_without_ros() -> None:
    code = """
import numpy as np
import visual_tracker, visual_tracker.session, visual_tracker.encodings

image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
tracker = visual_tracker.create_tracker("kcf")
tracker.init(image, visual_tracker.Box.from_xywh(10, 10, 20, 20))
print(visual_tracker.__file__)
print(tracker.track(image).state.value)
print(sorted(name for name in sys.modules if name.startswith("visual_tracker.ros")))
"""
    run = python(code)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == [str(PACKAGE / "__init__.py"), "tracking", "[]"]


def test_the_command_line_tracks_without_ros(square_video: Path, tmp_path: Path) -> None:
    code = "from visual_tracker.cli import main; main()"
    arguments = ["track", str(square_video), "--box", "30,25,40,40", "--tracker", "kcf"]
    run = python(code, *arguments)
    assert run.returncode == 0, run.stderr
    assert run.stdout == "12 frames, lost in 0\n"


def test_the_library_imports_without_the_libraries_of_training_and_deep_learning() -> None:
    code = """
import visual_tracker, visual_tracker.cli.track, visual_tracker.session
import visual_tracker.evaluation.datasets
print([name for name in ("torch", "matplotlib", "scipy", "joblib") if name in sys.modules])
"""
    run = python(code)
    assert run.stdout == "[]\n", run.stderr
