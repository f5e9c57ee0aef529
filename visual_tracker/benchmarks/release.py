"""The DaSiamRPN authors' release, run beside ours from a folder that the user gives.

Nothing of it is in this package: `net.py` and `run_SiamRPN.py` are imported from the folder. Its
weights are not needed for speed: they are drawn at random, and since random weights lead nowhere,
every frame starts from the first box. It expects CUDA; on the CPU, `Tensor.cuda` is made to do
nothing, and it is given `torch.no_grad`, which it does not ask for itself.

Only for a process of its own: it changes `sys.path` and, on the CPU, `torch.Tensor`.
"""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from visual_tracker.boxes import Box
from visual_tracker.images import Image
from visual_tracker.parameters import ParameterError
from visual_tracker.trackers import Track, TrackState

#: our network's name -> the class of `net.py`
NETWORKS = {"alexnet-vot": "SiamRPNvot", "alexnet-big": "SiamRPNBIG"}
_FILES = ("net.py", "run_SiamRPN.py", "utils.py")


@dataclass(frozen=True)
class ReleaseCandidate:
    """The release with one of its networks; picklable.

    Attributes:
        label: its name in the table.
        folder: with `net.py` and `run_SiamRPN.py`, or with `code/` that holds them.
        network: a key of NETWORKS.
        device: "cpu" or "cuda"; "auto" is the CPU.
        threads: of PyTorch.

    Raises:
        ParameterError: if the folder is no copy of the release.
    """

    label: str
    folder: Path
    network: str
    device: str = "auto"
    threads: int = 1

    def __post_init__(self) -> None:
        """Look for its files before anything is run."""
        missing = [name for name in _FILES if not (self.code / name).is_file()]
        if missing:
            raise ParameterError(
                f"--release {self.folder} lacks {', '.join(missing)}; give a clone of the "
                "DaSiamRPN authors' repository"
            )

    @property
    def code(self) -> Path:
        """The folder of the files themselves."""
        inner = self.folder / "code"
        return inner if inner.is_dir() else self.folder

    def with_threads(self, count: int) -> ReleaseCandidate:
        """Itself with so many threads."""
        return replace(self, threads=count)

    def create(self) -> ReleaseTracker:
        """Make it ready for `init`."""
        return ReleaseTracker(self)


class ReleaseTracker:
    """The release behind the two methods of a tracker.

    Args:
        candidate: what to run.
    """

    def __init__(self, candidate: ReleaseCandidate) -> None:
        import torch

        self.device = "cpu" if candidate.device == "auto" else candidate.device
        self.parameters = SimpleNamespace(threads=candidate.threads)
        self._torch = torch
        torch.set_num_threads(candidate.threads)
        if self.device == "cpu":
            torch.Tensor.cuda = lambda tensor, *_args, **_options: tensor
        sys.path.insert(0, str(candidate.code))
        self._run = importlib.import_module("run_SiamRPN")
        networks = importlib.import_module("net")
        torch.manual_seed(0)
        self._network = getattr(networks, NETWORKS[candidate.network])().eval().to(self.device)
        # No deltas: the boxes stay where the anchors are, and finite.
        for value in self._network.regress_adjust.parameters():
            value.data.zero_()

    def init(self, image: Image, box: Box) -> Box:
        """Start on a target."""
        self._box = box
        with self._torch.no_grad():
            self._state: dict[str, Any] = self._run.SiamRPN_init(
                image, np.array(box.center), np.array([box.width, box.height]), self._network
            )
        return box

    def track(self, image: Image) -> Track:
        """One frame, from the first box."""
        self._state["target_pos"] = np.array(self._box.center)
        self._state["target_sz"] = np.array([self._box.width, self._box.height])
        with self._torch.no_grad():
            self._state = self._run.SiamRPN_track(self._state, image)
        (x, y), (width, height) = self._state["target_pos"], self._state["target_sz"]
        return Track(
            Box.from_center(x, y, width, height), float(self._state["score"]), TrackState.TRACKING
        )
