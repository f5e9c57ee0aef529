"""What spoils images on a robot, in steps of strength: for curves of accuracy against strength.

Every perturbation is deterministic: the random numbers of a frame depend on the seed, the sequence
and the frame alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from visual_tracker.boxes import Box
from visual_tracker.evaluation.longterm_cases import generator
from visual_tracker.evaluation.sequences import Frames, Sequence
from visual_tracker.images import Image, as_bgr, size_of

#: (image, strength, seed of the frame) -> image of the same size
Change = Callable[[Image, float, int], Image]


@dataclass(frozen=True)
class Perturbation:
    """A kind of perturbation.

    Attributes:
        unit: what strength measures.
        neutral: the strength that changes nothing.
        strengths: those of a curve, from weak to strong.
        change: of an image; None where frames or sizes change instead.
    """

    unit: str
    neutral: float
    strengths: tuple[float, ...]
    change: Change | None = None


def add_noise(image: Image, sigma: float, seed: int) -> Image:
    """Gaussian noise of a standard deviation in grey levels, each channel by itself."""
    noise = np.random.default_rng(seed).standard_normal(image.shape, dtype=np.float32) * np.float32(
        sigma
    )
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


def blur(image: Image, sigma: float, _seed: int) -> Image:
    """Gaussian blur of a standard deviation in pixels."""
    return cv2.GaussianBlur(image, (0, 0), sigma) if sigma > 0 else image


def compress(image: Image, quality: float, _seed: int) -> Image:
    """JPEG of a quality from 1 to 100."""
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
    return as_bgr(cv2.imdecode(data, cv2.IMREAD_COLOR))


def brighten(image: Image, factor: float, _seed: int) -> Image:
    """Every grey level times a factor, clipped at white."""
    return np.clip(np.rint(image * np.float32(factor)), 0, 255).astype(np.uint8)


KINDS = {
    "noise": Perturbation("standard deviation, grey levels", 0, (10, 20, 40, 60), add_noise),
    "blur": Perturbation("standard deviation, pixels", 0, (1, 2, 4, 6), blur),
    "jpeg": Perturbation("JPEG quality", 100, (50, 20, 10, 5), compress),
    "darken": Perturbation("brightness factor", 1, (0.6, 0.4, 0.2, 0.1), brighten),
    "brighten": Perturbation("brightness factor", 1, (1.5, 2, 3, 4), brighten),
    "drops": Perturbation("share of frames dropped", 0, (0.1, 0.3, 0.5, 0.7)),
    "resolution": Perturbation("image side, share of the original", 1, (0.75, 0.5, 0.35, 0.25)),
}


@dataclass(frozen=True)
class ChangedFrames:
    """Images put through a perturbation when they are read.

    Attributes:
        frames: the originals.
        kind: key of KINDS with a `change`.
        strength: in the kind's unit.
        seed: of the random numbers.
        name: of the sequence.
    """

    frames: Frames
    kind: str
    strength: float
    seed: int
    name: str

    @property
    def files(self) -> tuple[Path, ...]:
        """The originals'."""
        return self.frames.files

    def __len__(self) -> int:
        """Number of images."""
        return len(self.frames)

    def __getitem__(self, index: int) -> Image:
        """The perturbed image of a frame."""
        change = KINDS[self.kind].change
        image = self.frames[index]
        seed = int(generator(self.seed, f"{self.name}:{index}").integers(2**32))
        return change(image, self.strength, seed) if change else image


@dataclass(frozen=True)
class ScaledFrames:
    """Images of another resolution.

    Attributes:
        frames: the originals.
        scale: of each side.
    """

    frames: Frames
    scale: float

    @property
    def files(self) -> tuple[Path, ...]:
        """The originals'."""
        return self.frames.files

    def __len__(self) -> int:
        """Number of images."""
        return len(self.frames)

    def __getitem__(self, index: int) -> Image:
        """The scaled image of a frame."""
        image = self.frames[index]
        size = [max(1, round(side * self.scale)) for side in size_of(image)]
        return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def perturb(sequence: Sequence, kind: str, strength: float, seed: int) -> Sequence:
    """A sequence as a worse camera would give it; the name stays.

    Args:
        sequence: the original.
        kind: key of KINDS.
        strength: in its unit.
        seed: any integer.
    """
    if kind == "drops":
        random = generator(seed, sequence.name)
        return replace(sequence, delivered=random.random(len(sequence)) >= strength)
    if kind == "resolution":
        return _scaled(sequence, strength)
    frames = ChangedFrames(sequence.frames, kind, strength, seed, sequence.name)
    return replace(sequence, frames=frames)


def _scaled(sequence: Sequence, scale: float) -> Sequence:
    size = sequence.image_size()
    if size is None:
        return sequence
    # the sides are whole pixels, so the exact factors differ a little from the scale
    frames = ScaledFrames(sequence.frames, scale)
    factors = np.array(size_of(frames[0])) / np.array(size)
    return replace(
        sequence,
        frames=frames,
        truth=sequence.truth * np.tile(factors, 2),
        polygons=tuple(
            outline if outline is None else outline * factors for outline in sequence.polygons
        ),
        start=sequence.start and Box.from_xywh(*(sequence.start.xywh * np.tile(factors, 2))),
    )
