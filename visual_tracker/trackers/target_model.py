"""A model of the target that is learned on line: a linear filter on the network's features.

The filter answers 1 on the target, falls off around it, and is 0 on everything else that it has
seen beside it. It is what DaSiamRPN's distractor-aware template does by hand (target minus
distractors), as regression: ridge regression with the surroundings and the distractors as
negatives, as in ECO (Danelljan et al., CVPR 2017), ATOM (CVPR 2019) and DiMP (Bhat et al.,
ICCV 2019), with CFNet's formula (Valmadre et al., CVPR 2017). See
:mod:`visual_tracker.trackers.ridge` for how it is solved.

To be fast it sees few channels: principal components of the first frame's features, in which the
target's cells count as much as all others together. And the map of a filter of K x K cells is K^2
inner products a cell, one matrix product, added up with shifts.

Positions are in crop pixels from the crop's centre, as in `visual_tracker.trackers.score_map`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from visual_tracker.trackers.ridge import RunningRidge, Samples

FloatArray = NDArray[np.floating]
Cells = NDArray[np.intp]

#: side of the filter in crop pixels; the target's mean side is half the template's, some 64
_KERNEL = 40
#: crop pixels from the target's centre within which every cell is a sample
_NEAR = 20.0
#: samples of the surroundings a frame
_BACKGROUND = 96
#: standard deviation of the Gaussian labels as a share of the target's mean side
_LABEL_WIDTH = 0.2
#: lambda, see `RunningRidge`
_REGULARISATION = 0.1
#: least share of the first frame, see `RunningRidge`
_FIRST_SHARE = 0.3
#: of conjugate gradient, a frame learned
_ITERATIONS = 5
#: every n-th cell of the first views is enough to find the components
_COMPONENT_STEP = 3


class ModelSettings(NamedTuple):
    """How the target model learns.

    Attributes:
        channels: principal components that it sees.
        decay: see `RunningRidge`.
        distractor_weight: weight of a distractor against an ordinary sample of the surroundings.
    """

    channels: int = 32
    decay: float = 0.98
    distractor_weight: float = 1.0


class Projection:
    """The principal components of features.

    Args:
        embeddings: (C, H, W) of the first views.
        targets: (C, h, w), the target's cells in each of them.
        channels: components kept, at most C.
    """

    def __init__(
        self, embeddings: Sequence[FloatArray], targets: Sequence[FloatArray], channels: int
    ) -> None:
        everything = np.concatenate(
            [_columns(embedding)[:, ::_COMPONENT_STEP] for embedding in embeddings], axis=1
        )
        self._mean = everything.mean(axis=1, keepdims=True)
        covariance = np.zeros((len(everything),) * 2, np.float32)
        for group in (everything, np.concatenate([_columns(t) for t in targets], axis=1)):
            centred = group - self._mean
            covariance += centred @ centred.T / group.shape[1]
        _, vectors = np.linalg.eigh(covariance)
        self._basis = np.ascontiguousarray(vectors[:, ::-1][:, :channels].T)

    def __call__(self, embedding: FloatArray) -> FloatArray:
        """Components of features: (C, H, W) to (channels, H, W)."""
        return (self._basis @ (_columns(embedding) - self._mean)).reshape(-1, *embedding.shape[1:])


def _columns(embedding: FloatArray) -> FloatArray:
    return np.asarray(embedding, dtype=np.float32).reshape(len(embedding), -1)


class TargetModel:
    """The filter, with what it needs to learn.

    Args:
        embeddings: phi of the first frame's views, (C, H, W) each; the plain view first.
        boxes: the target in each view, (4,).
        window: side in cells of the network's own windows; a map has that much fewer cells, plus
            one, than the features.
        stride: crop pixels a cell.
        settings: how it learns.
    """

    def __init__(
        self,
        embeddings: Sequence[FloatArray],
        boxes: Sequence[FloatArray],
        window: int,
        stride: int,
        settings: ModelSettings,
    ) -> None:
        self.kernel = kernel_side(_KERNEL / stride, window)
        self._margin = (window - self.kernel) // 2
        self._window, self._stride, self._settings = window, stride, settings
        self._random = np.random.default_rng(0)
        targets = [
            self._network_window(embedding, box)
            for embedding, box in zip(embeddings, boxes, strict=True)
        ]
        self.project = Projection(embeddings, targets, settings.channels)
        features = [self.project(embedding) for embedding in embeddings]
        self._ridge = RunningRidge(
            [self._samples(*view, np.zeros((2, 0))) for view in zip(features, boxes, strict=True)],
            _REGULARISATION,
            settings.decay,
            _FIRST_SHARE,
        )

    def respond(self, features: FloatArray) -> FloatArray:
        """The filter's map: (channels, H, W) projected features to (rows, columns)."""
        kernel = self._ridge.weights.reshape(len(features), self.kernel, self.kernel)
        return correlate(features, kernel, self._margin)

    def learn(self, features: FloatArray, box: FloatArray, distractors: FloatArray) -> None:
        """Learn from a frame.

        Args:
            features: projected, (channels, H, W).
            box: where the target is, (4,).
            distractors: (2, n), x and y of the centres of what looks like the target.
        """
        self._ridge.learn(self._samples(features, box, distractors), _ITERATIONS)

    def _network_window(self, embedding: FloatArray, box: FloatArray) -> FloatArray:
        rows, columns = (side - self._window + 1 for side in embedding.shape[1:])
        row, column = nearest_cell(box[:2], (rows, columns), self._stride)
        return embedding[:, row : row + self._window, column : column + self._window]

    def _samples(self, features: FloatArray, box: FloatArray, distractors: FloatArray) -> Samples:
        """All cells near the target, some of the others, and the distractors."""
        rows, columns = (side - self._window + 1 for side in features.shape[1:])
        place = cell_of(np.asarray(box[:2]), (rows, columns), self._stride)
        grid = np.indices((rows, columns)).reshape(2, -1)
        squared = ((grid - place[:, None]) ** 2).sum(axis=0)
        is_near = squared <= (_NEAR / self._stride) ** 2
        near, far = grid[:, is_near], grid[:, ~is_near]
        count = min(_BACKGROUND, far.shape[1])
        background = far[:, self._random.permutation(far.shape[1])[:count]]
        hard = np.rint(cell_of(distractors, (rows, columns), self._stride)).astype(np.intp)
        hard = np.clip(hard, 0, [[rows - 1], [columns - 1]])
        cells = np.concatenate([near, background, hard], axis=1)
        # each sample of the surroundings stands for others that were not taken
        stands_for = far.shape[1] / max(count, 1)
        weights = np.ones(cells.shape[1], np.float32)
        weights[near.shape[1] :] = stands_for
        weights[near.shape[1] + count :] *= self._settings.distractor_weight
        width = _LABEL_WIDTH * np.sqrt(box[2] * box[3]) / self._stride
        inputs = take_windows(features, cells + self._margin, self.kernel)
        return Samples(inputs, gaussian_labels(cells, place, width), weights)


def kernel_side(wanted: float, window: int) -> int:
    """Cells a side of a filter: the nearest to what is wanted that fits evenly into the windows.

    Args:
        wanted: in cells.
        window: side in cells of the network's windows.
    """
    odd = window % 2
    return min(max(2 * round((wanted - odd) / 2) + odd, 2 - odd), window)


def cell_of(points: FloatArray, shape: tuple[int, int], stride: int) -> FloatArray:
    """Row and column, not rounded, of points: (2,) or (2, n) of x and y."""
    place: FloatArray = points[::-1] / stride
    place[0] += (shape[0] - 1) / 2
    place[1] += (shape[1] - 1) / 2
    return place


def nearest_cell(point: FloatArray, shape: tuple[int, int], stride: int) -> tuple[int, int]:
    """Row and column of the cell of a map that is nearest to a point x, y."""
    # Python's numbers: NumPy takes ten times as long for two of them
    x, y = float(point[0]), float(point[1])
    row, column = y / stride + (shape[0] - 1) / 2, x / stride + (shape[1] - 1) / 2
    return min(max(round(row), 0), shape[0] - 1), min(max(round(column), 0), shape[1] - 1)


def gaussian_labels(cells: Cells, place: FloatArray, width: float) -> NDArray[np.float32]:
    """Label of each cell: 1 at the target, falling off with the distance.

    Args:
        cells: (2, n), rows and columns.
        place: (2,), the target's, not rounded.
        width: standard deviation in cells.
    """
    squared = ((cells - place[:, None]) ** 2).sum(axis=0)
    return np.exp(-squared / (2 * width**2)).astype(np.float32)


def take_windows(features: FloatArray, cells: Cells, side: int) -> NDArray[np.float32]:
    """Windows of features as rows, (n, C side side).

    Args:
        features: (C, H, W).
        cells: (2, n), row and column of each window's first cell.
        side: in cells.
    """
    steps = np.arange(side)
    rows = cells[0][:, None, None] + steps[None, :, None]
    columns = cells[1][:, None, None] + steps[None, None, :]
    windows = features[:, rows, columns].transpose(1, 0, 2, 3)
    return np.ascontiguousarray(windows.reshape(cells.shape[1], -1), dtype=np.float32)


def correlate(features: FloatArray, kernel: FloatArray, margin: int) -> FloatArray:
    """Correlation of features with a kernel, leaving out a margin of cells on each side.

    Args:
        features: (C, H, W).
        kernel: (C, k, k).
        margin: cells.

    Returns:
        (H - k + 1 - 2 margin, W - k + 1 - 2 margin).
    """
    channels, height, width = features.shape
    side = kernel.shape[1]
    products = kernel.reshape(channels, -1).T @ features.reshape(channels, -1)
    products = products.reshape(side, side, height, width)
    rows, columns = height - side + 1 - 2 * margin, width - side + 1 - 2 * margin
    result = np.zeros((rows, columns), features.dtype)
    for row in range(side):
        for column in range(side):
            top, left = row + margin, column + margin
            result += products[row, column, top : top + rows, left : left + columns]
    return result


def peak_near(response: FloatArray, point: FloatArray, radius: float, stride: int) -> float:
    """The largest value of a map in the square of side 2 radius around a point.

    Args:
        response: (rows, columns).
        point: x and y.
        radius: crop pixels; at least one cell is looked at.
        stride: crop pixels a cell.
    """
    rows, columns = response.shape
    row, column = nearest_cell(point, (rows, columns), stride)
    reach = int(radius / stride)
    top, left = max(row - reach, 0), max(column - reach, 0)
    part = response[top : row + reach + 1, left : column + reach + 1]
    return float(part.max())


def values_at(response: FloatArray, points: FloatArray, stride: int) -> FloatArray:
    """Bilinear values of a map at points; beyond its border those of the border.

    Args:
        response: (rows, columns).
        points: (2, n), x and y.
        stride: crop pixels a cell.

    Returns:
        (n,).
    """
    rows, columns = response.shape
    place = cell_of(points, (rows, columns), stride)
    place = np.clip(place, 0, [[rows - 1], [columns - 1]])
    first = np.minimum(place.astype(np.intp), [[max(rows - 2, 0)], [max(columns - 2, 0)]])
    (row, column), (down, right) = first, place - first
    below, beside = np.minimum(row + 1, rows - 1), np.minimum(column + 1, columns - 1)
    upper = response[row, column] * (1 - right) + response[row, beside] * right
    lower = response[below, column] * (1 - right) + response[below, beside] * right
    values: FloatArray = upper * (1 - down) + lower * down
    return values
