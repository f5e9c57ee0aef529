"""The packaging: versions, scripts, and the messages of the development environment."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parent.parent
STANDIN = ROOT / "dev" / "vision_msgs_standin"
INTERFACES = ROOT / "visual_tracker_msgs"

# Of vision_msgs 4.1.1, as apt installs it with ROS 2 Jazzy.
DETECTION2D_ARRAY_HASH = "RIHS01_214274120007f4a683866481336b70310268cfa107aebe9d594a6acf75bda968"

# Keys of setup.py's install_requires that rosdep knows by another name.
ROSDEP_KEYS = {
    "numpy": "python3-numpy",
    "opencv-contrib-python": "python3-opencv",
    "click": "python3-click",
    "rich": "python3-rich",
}

needs_colcon = pytest.mark.skipif(
    importlib.util.find_spec("colcon_core") is None, reason="needs colcon"
)


def colcon(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs colcon in the root, where its defaults file is, without a log folder."""
    command = [sys.executable, "-m", "colcon", "--log-base", os.devnull, *arguments]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    return run


def load_setup_arguments() -> dict[str, object]:
    """Returns the keyword arguments that setup.py gives to setuptools."""
    code = (
        "import json, runpy, setuptools; given = {};"
        "setuptools.setup = given.update;"
        "runpy.run_path('setup.py');"
        "print(json.dumps(given, default=str))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return json.loads(run.stdout)


@pytest.fixture(scope="module")
def setup_arguments() -> dict:
    return load_setup_arguments()


def manifest(folder: Path) -> ElementTree.Element:
    return ElementTree.parse(folder / "package.xml").getroot()


def manifest_keys(folder: Path, *tags: str) -> set[str]:
    return {element.text for tag in tags for element in manifest(folder).iter(tag)}


@pytest.mark.parametrize("field", ["name", "version", "description", "license"])
def test_package_xml_and_setup_py_agree(setup_arguments: dict, field: str) -> None:
    assert setup_arguments[field] == manifest(ROOT).findtext(field)


def test_the_commands_are_there_and_say_what_they_lack(setup_arguments: dict) -> None:
    scripts = setup_arguments["entry_points"]["console_scripts"]
    nodes = [script.split(" = ")[1] for script in scripts if ".ros." in script]
    assert len(nodes) == 4
    for node in nodes:
        module, _, function = node.partition(":")
        code = (
            "import sys, importlib; sys.modules['rclpy'] = None;"
            f"getattr(importlib.import_module('{module}'), '{function}')()"
        )
        run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
        assert run.returncode == 2, run.stderr
        assert run.stderr.startswith(f"error: {function} needs ROS 2")
        assert run.stderr.count("\n") == 1


def test_a_build_has_no_modules_that_are_gone(tmp_path: Path) -> None:
    gone = tmp_path / "visual_tracker" / "gone.py"
    gone.parent.mkdir()
    gone.touch()
    command = [sys.executable, "setup.py", "-q", "build_py", "--build-lib", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    assert (gone.parent / "cli" / "__init__.py").exists()
    assert not gone.exists()


def test_both_packages_have_the_same_version() -> None:
    assert manifest(ROOT).findtext("version") == manifest(INTERFACES).findtext("version")


def test_a_robot_gets_every_requirement(setup_arguments: dict) -> None:
    names = {requirement.split(">")[0] for requirement in setup_arguments["install_requires"]}
    keys = manifest_keys(ROOT, "depend", "exec_depend")
    assert {ROSDEP_KEYS[name] for name in names} <= keys


def test_every_console_script_has_its_module_and_function(setup_arguments: dict) -> None:
    scripts = setup_arguments["entry_points"]["console_scripts"]
    assert scripts
    for script in scripts:
        module, function = script.split("=")[1].strip().split(":")
        source = ROOT / (module.replace(".", "/") + ".py")
        package = ROOT / module.replace(".", "/") / "__init__.py"
        found = [path for path in (source, package) if path.is_file()]
        assert found, f"{script}: no module {module}"
        # Read, not imported: the modules of visual_tracker.ros need ROS.
        text = found[0].read_text()
        assert f"def {function}(" in text or f"import {function}" in text, f"{script}: {function}"


def test_every_interface_file_is_built() -> None:
    for folder in (INTERFACES, STANDIN):
        cmake = (folder / "CMakeLists.txt").read_text()
        files = [*folder.glob("msg/*.msg"), *folder.glob("srv/*.srv")]
        assert files
        for file in files:
            assert f'"{file.relative_to(folder).as_posix()}"' in cmake


def test_the_standin_is_hidden_from_colcon() -> None:
    assert (STANDIN / "COLCON_IGNORE").is_file()
    assert (ROOT / "dev" / "COLCON_IGNORE").is_file()


@needs_colcon
@pytest.mark.parametrize("base_paths", [[], ["--base-paths", ".", "visual_tracker_msgs", "dev/*"]])
def test_colcon_finds_exactly_the_two_packages(base_paths: list[str]) -> None:
    found = colcon("list", "--names-only", *base_paths).stdout.split()
    assert sorted(found) == ["visual_tracker", "visual_tracker_msgs"]


@needs_colcon
def test_colcon_puts_everything_where_ros_looks(setup_arguments: dict, tmp_path: Path) -> None:
    install = tmp_path / "install"
    folders = ["--build-base", str(tmp_path / "build"), "--install-base", str(install)]
    colcon("build", *folders, "--base-paths", ".")
    prefix = install / "visual_tracker"
    for script in setup_arguments["entry_points"]["console_scripts"]:
        assert (prefix / "lib" / "visual_tracker" / script.split("=")[0].strip()).is_file()
    share = prefix / "share" / "visual_tracker"
    for file in [*ROOT.glob("launch/*.py"), *ROOT.glob("config/*.yaml"), ROOT / "package.xml"]:
        assert (share / file.relative_to(ROOT)).is_file()
    assert (prefix / "share/ament_index/resource_index/packages/visual_tracker").is_file()
    (library,) = prefix.glob("lib/python3*/site-packages")
    sources = {path.relative_to(ROOT) for path in (ROOT / "visual_tracker").rglob("*.py")}
    assert sources == {
        path.relative_to(library) for path in (library / "visual_tracker").rglob("*.py")
    }
    command = [sys.executable, str(prefix / "lib/visual_tracker/visual-tracker"), "--help"]
    environment = {**os.environ, "PYTHONPATH": str(library)}
    run = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


@pytest.mark.ros
def test_detections_have_the_type_hash_of_upstream() -> None:
    pytest.importorskip("vision_msgs")
    packages = pytest.importorskip("ament_index_python.packages")
    share = Path(packages.get_package_share_directory("vision_msgs"))
    description = json.loads((share / "msg" / "Detection2DArray.json").read_text())
    hashes = {entry["type_name"]: entry["hash_string"] for entry in description["type_hashes"]}
    assert hashes["vision_msgs/msg/Detection2DArray"] == DETECTION2D_ARRAY_HASH


@pytest.mark.ros
def test_the_share_folder_has_the_launch_and_configuration_files() -> None:
    packages = pytest.importorskip("ament_index_python.packages")
    share = Path(packages.get_package_share_directory("visual_tracker"))
    for pattern in ("launch/*.py", "config/*.yaml"):
        expected = {path.relative_to(ROOT) for path in ROOT.glob(pattern)}
        assert expected
        assert expected <= {path.relative_to(share) for path in share.glob(pattern)}
