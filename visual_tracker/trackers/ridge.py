"""Ridge regression over a stream of frames, solved by conjugate gradient.

    min_w  sum_t c_t sum_i v_ti (w . x_ti - y_ti)^2 + lambda |w|^2

Only the Gram matrix X^T V X and the vector X^T V y are kept, not the samples. The first frame's
share never falls below a floor, as nothing else is certain; the others fade by a constant factor a
frame (the learning rate of ECO, Danelljan et al., CVPR 2017, and of DiMP, Bhat et al., ICCV 2019;
the formula is that of CFNet, Valmadre et al., CVPR 2017). A few iterations of conjugate gradient
from the last solution do for a frame, for the problem changes little (ECO, section 3.3).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

#: frames that are remembered before they have their full share against the first one
_FULL_SHARE_FRAMES = 8


class Samples(NamedTuple):
    """Samples of a frame.

    Attributes:
        inputs: (n, d).
        labels: (n,).
        weights: (n,), each sample's weight v.
    """

    inputs: FloatArray
    labels: FloatArray
    weights: FloatArray


class Moments(NamedTuple):
    """What a weighted least squares problem depends on.

    Attributes:
        gram: X^T V X, (d, d).
        target: X^T V y, (d,).
    """

    gram: FloatArray
    target: FloatArray

    @classmethod
    def of(cls, samples: Samples) -> Moments:
        """Moments of one frame's samples."""
        weighted: FloatArray = samples.inputs * samples.weights[:, None]
        return cls(weighted.T @ samples.inputs, weighted.T @ samples.labels)

    def scaled(self, factor: float) -> Moments:
        """The moments times a number."""
        scale = np.float32(factor)
        gram: FloatArray = self.gram * scale
        target: FloatArray = self.target * scale
        return Moments(gram, target)

    def plus(self, other: Moments) -> Moments:
        """The sum of two."""
        return Moments(self.gram + other.gram, self.target + other.target)


class RunningRidge:
    """A linear model that starts on the first frame's samples and learns further frames.

    Args:
        first: samples of each of the first frame's views; a view counts as much as another.
        regularisation: lambda as a share of the mean eigenvalue of the first frame's Gram matrix.
        decay: factor by which a frame counts less for each one learned after it.
        first_share: least share of the first frame against all others, in [0, 1].
    """

    def __init__(
        self, first: list[Samples], regularisation: float, decay: float, first_share: float
    ) -> None:
        total = Moments.of(first[0])
        for samples in first[1:]:
            total = total.plus(Moments.of(samples))
        self._first = total.scaled(1 / len(first))
        self._decay, self._first_share = decay, first_share
        self._recent = self._first.scaled(0)
        self._recent_weight = 0.0
        size = len(self._first.target)
        #: lambda itself
        self.regularisation = regularisation * max(float(np.trace(self._first.gram)), 1e-12) / size
        ridge = np.float32(self.regularisation) * np.eye(size, dtype=np.float32)
        self.weights: FloatArray = np.linalg.solve(self._first.gram + ridge, self._first.target)

    def learn(self, samples: Samples, iterations: int) -> None:
        """Add a frame and improve the solution.

        Args:
            samples: of the frame.
            iterations: of conjugate gradient.
        """
        self._recent = self._recent.scaled(self._decay).plus(Moments.of(samples))
        self._recent_weight = self._recent_weight * self._decay + 1.0
        moments = self.moments()
        self.weights = conjugate_gradient(
            moments.gram, self.regularisation, moments.target, self.weights, iterations
        )

    def moments(self) -> Moments:
        """The problem as it stands: first frame and later ones by their shares."""
        if not self._recent_weight:
            return self._first
        share = (1 - self._first_share) * min(1.0, self._recent_weight / _FULL_SHARE_FRAMES)
        recent = self._recent.scaled(share / self._recent_weight)
        return self._first.scaled(1 - share).plus(recent)


def conjugate_gradient(
    gram: FloatArray, ridge: float, target: FloatArray, start: FloatArray, iterations: int
) -> FloatArray:
    """Solve (gram + ridge I) w = target from a first guess (Hestenes and Stiefel, 1952).

    Args:
        gram: (d, d), symmetric and positive semidefinite.
        ridge: > 0.
        target: (d,).
        start: (d,).
        iterations: at most; it ends early where nothing is left to improve.
    """
    solution = start.copy()
    residual = target - (gram @ solution + ridge * solution)
    direction = residual.copy()
    energy = float(residual @ residual)
    least = 1e-12 * max(float(target @ target), 1e-30)
    for _ in range(iterations):
        if energy <= least:
            break
        image = gram @ direction + ridge * direction
        step = energy / float(direction @ image)
        solution += np.float32(step) * direction
        residual -= np.float32(step) * image
        before, energy = energy, float(residual @ residual)
        direction = residual + np.float32(energy / before) * direction
    return solution
