"""What code, weights, libraries and images a run was made with: none is taken for another's."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib import metadata
from pathlib import Path

import cv2

import visual_tracker
from visual_tracker.evaluation.sequences import Sequence

#: what decides the outcome of a run, in the package's folder: trackers with what they learn on
#: line, networks with their weights, what all share, what makes the images, and the loop that calls
#: the trackers
SOURCES = (
    "*.py",
    "trackers/**/*.py",
    "online/**/*.py",
    "mdnet/**/*.py",
    "adnet/**/*.py",
    "models/**/*.py",
    "models/weights/*.json",
    "models/weights/*.safetensors",
    "evaluation/sequences.py",
    "evaluation/longterm_cases.py",
    "evaluation/occlusions.py",
    "evaluation/moved_starts.py",
    "evaluation/perturbations.py",
    "evaluation/passes.py",
    "evaluation/pacing.py",
    "evaluation/runner.py",
)
#: libraries that compute, OpenCV beside them
LIBRARIES = ("numpy", "torch", "openvino", "onnxruntime")


def sources() -> list[Path]:
    """Files of the package on which the outcome of a run depends."""
    root = Path(visual_tracker.__file__).parent
    return sorted({path for pattern in SOURCES for path in root.glob(pattern)})


@lru_cache(maxsize=1)
def code_digest() -> str:
    """A short digest of the package's own code and weights, as far as runs depend on them."""
    root = Path(visual_tracker.__file__).parent
    digest = hashlib.sha256()
    for path in sources():
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def sequence_digest(sequence: Sequence) -> str:
    """A short digest of a sequence's truth and of its images' names, sizes and times.

    Their content is not read, which would take as long as tracking; where a file cannot be looked
    at, as little is known of it as its run will find.
    """
    digest = hashlib.sha256()
    for array in (sequence.truth, sequence.visible):
        digest.update(array.tobytes())
    for path in sequence.frames.files:
        digest.update(repr(file_state(path)).encode())
    return digest.hexdigest()[:16]


def file_state(path: Path) -> tuple[str, int, int]:
    """Name, bytes and time of change (ns) of a file; zeros where there is none."""
    try:
        status = path.stat()
    except OSError:
        return path.name, 0, 0
    return path.name, status.st_size, status.st_mtime_ns


@lru_cache(maxsize=1)
def library_versions() -> dict[str, str]:
    """Versions of the libraries that compute, by name; those not installed are left out."""
    versions = {"opencv": cv2.__version__}
    for name in LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions
