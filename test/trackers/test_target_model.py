"""The on-line target model: projection, windows, labels, correlation, and what it learns."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visual_tracker.trackers.target_model import (
    ModelSettings,
    Projection,
    TargetModel,
    cell_of,
    correlate,
    gaussian_labels,
    kernel_side,
    nearest_cell,
    peak_near,
    take_windows,
    values_at,
)

STRIDE, WINDOW = 8, 7


def test_windows_are_those_of_a_loop() -> None:
    features = np.random.default_rng(0).normal(size=(3, 9, 11)).astype(np.float32)
    cells = np.array([[0, 2, 4], [6, 1, 3]])
    taken = take_windows(features, cells, 5)
    for row, (top, left) in zip(taken, cells.T, strict=True):
        assert (row == features[:, top : top + 5, left : left + 5].ravel()).all()


@pytest.mark.parametrize(("side", "margin"), [(5, 1), (3, 2), (4, 1), (7, 0)])
def test_correlation_is_the_inner_product_with_each_window(side: int, margin: int) -> None:
    rng = np.random.default_rng(side)
    features, kernel = rng.normal(size=(4, 15, 13)), rng.normal(size=(4, side, side))
    result = correlate(features, kernel, margin)
    assert result.shape == (15 - side + 1 - 2 * margin, 13 - side + 1 - 2 * margin)
    for row in range(result.shape[0]):
        for column in range(result.shape[1]):
            top, left = row + margin, column + margin
            window = features[:, top : top + side, left : left + side]
            assert result[row, column] == pytest.approx((window * kernel).sum())


def test_labels_by_hand() -> None:
    cells = np.array([[4, 4, 6], [5, 7, 5]])
    labels = gaussian_labels(cells, np.array([4.0, 5.0]), 2.0)
    assert labels == pytest.approx([1, np.exp(-0.5), np.exp(-0.5)])


def test_the_middle_cell_is_the_crops_centre() -> None:
    assert cell_of(np.array([0.0, 0.0]), (27, 27), STRIDE) == pytest.approx([13, 13])
    assert cell_of(np.array([16.0, -8.0]), (27, 81), STRIDE) == pytest.approx([12, 42])
    assert nearest_cell(np.array([-1000.0, 3.9]), (27, 27), STRIDE) == (13, 0)
    # what lies beyond the border is nearest to the border's cells
    assert nearest_cell(np.array([1000.0, 1000.0]), (27, 81), STRIDE) == (26, 80)


@settings(deadline=None)
@given(st.floats(-120, 120), st.floats(-120, 120))
def test_values_are_bilinear(x: float, y: float) -> None:
    rows, columns = np.indices((27, 27))
    plane = 2.0 * rows - 3.0 * columns + 1.0
    row, column = np.clip(cell_of(np.array([x, y]), (27, 27), STRIDE), 0, 26)
    value = values_at(plane, np.array([[x], [y]]), STRIDE)
    assert value == pytest.approx([2 * row - 3 * column + 1], abs=1e-9)


@pytest.mark.parametrize(
    ("wanted", "window", "side"),
    [(5, 7, 5), (5, 6, 4), (2.5, 3, 3), (2.5, 4, 2), (5, 3, 3), (0.2, 7, 1), (0.2, 4, 2)],
)
def test_the_filter_fits_evenly_into_the_windows(wanted: float, window: int, side: int) -> None:
    assert kernel_side(wanted, window) == side
    assert (window - side) % 2 == 0


def test_the_peak_near_a_point_by_hand() -> None:
    answer = np.zeros((15, 15))
    answer[7, 9], answer[2, 2], answer[7, 7] = 0.9, 2.0, 0.4
    assert peak_near(answer, np.zeros(2), 15.9, 16) == 0.4
    assert peak_near(answer, np.zeros(2), 32.0, 16) == 0.9
    assert peak_near(answer, np.array([32.0, 0.0]), 0.0, 16) == 0.9
    assert peak_near(answer, np.array([64.0, 0.0]), 32.0, 16) == 0.9
    # beyond the border that of the border
    assert peak_near(answer, np.array([-500.0, -500.0]), 32.0, 16) == 2.0


def test_the_projection_keeps_what_varies() -> None:
    rng = np.random.default_rng(0)
    directions = np.linalg.qr(rng.normal(size=(12, 3)))[0]
    embedding = (directions @ rng.normal(size=(3, 400)) + 5.0).reshape(12, 20, 20)
    project = Projection([embedding], [embedding[:, 8:15, 8:15]], channels=3)
    projected = project(embedding)
    assert projected.shape == (3, 20, 20)
    # an orthonormal basis of all that varies keeps every distance
    before = embedding[:, 3, 4] - embedding[:, 17, 9]
    after = projected[:, 3, 4] - projected[:, 17, 9]
    assert np.linalg.norm(after) == pytest.approx(np.linalg.norm(before), rel=1e-4)


def scene(*places: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    """Noise features (6, 33, 33) with patterns at (kind, row, column) of the response map."""
    patterns = np.random.default_rng(99).normal(size=(2, 6, 7, 7))
    patterns[1] = 0.8 * patterns[0] + 0.6 * patterns[1]  # a look-alike
    features = 0.3 * np.random.default_rng(seed).normal(size=(6, 33, 33))
    for kind, row, column in places:
        features[:, row : row + 7, column : column + 7] += patterns[kind]
    return features.astype(np.float32)


def at(row: int, column: int) -> np.ndarray:
    return np.array([(column - 13) * STRIDE, (row - 13) * STRIDE, 64.0, 64.0])


def model() -> TargetModel:
    views = [scene((0, 13, 13)), scene((0, 11, 15), seed=1)]
    boxes = [at(13, 13), at(11, 15)]
    return TargetModel(views, boxes, WINDOW, STRIDE, ModelSettings(channels=6))


def test_it_answers_one_on_the_target_and_little_elsewhere() -> None:
    learned = model()
    answer = learned.respond(learned.project(scene((0, 6, 20), seed=2)))
    assert answer.shape == (27, 27)
    peak = np.unravel_index(answer.argmax(), answer.shape)
    assert np.abs(np.subtract(peak, (6, 20))).max() <= 1
    assert answer[6, 20] > 0.5
    rows, columns = np.indices(answer.shape)
    away = np.hypot(rows - 6, columns - 20) > 5
    assert np.abs(answer[away]).max() < 0.4
    assert learned.respond(learned.project(scene(seed=3))).max() < 0.4


def test_a_larger_crop_gives_a_larger_map() -> None:
    learned = model()
    large = np.zeros((6, 81, 49), np.float32)
    assert learned.respond(learned.project(large)).shape == (75, 43)


def test_a_distractor_becomes_a_negative() -> None:
    both = scene((0, 13, 13), (1, 13, 22), seed=4)

    def answers(distractors: np.ndarray, weight: float) -> tuple[float, float]:
        settings = ModelSettings(channels=6, distractor_weight=weight)
        first = [scene((0, 13, 13))]
        learned = TargetModel(first, [at(13, 13)], WINDOW, STRIDE, settings)
        for _ in range(4):
            learned.learn(learned.project(both), at(13, 13), distractors)
        answer = learned.respond(learned.project(both))
        return float(answer[13, 13]), float(answer[13, 22])

    none, here = np.zeros((2, 0)), at(13, 22)[:2, None]
    (target, look_alike), before = answers(here, 4.0), answers(none, 4.0)
    assert look_alike < 0.5 * before[1]
    assert target - look_alike > 1.2 * (before[0] - before[1])


def test_windows_of_an_even_side_have_a_filter_of_an_even_side() -> None:
    rng = np.random.default_rng(0)
    features = 0.1 * rng.normal(size=(6, 24, 24)).astype(np.float32)
    features[:, 9:15, 9:15] += rng.normal(size=(6, 6, 6))
    learned = TargetModel(
        [features], [np.array([0.0, 0.0, 60.0, 60.0])], 6, STRIDE, ModelSettings(channels=6)
    )
    assert learned.kernel == 4
    answer = learned.respond(learned.project(features))
    assert answer.shape == (19, 19)
    assert np.unravel_index(answer.argmax(), answer.shape) == (9, 9)


def test_samples_are_all_cells_near_some_others_and_the_distractors() -> None:
    views, boxes = [scene((0, 13, 13))], [at(13, 13)]
    settings = ModelSettings(channels=6, distractor_weight=4.0)
    learned = TargetModel(views, boxes, WINDOW, STRIDE, settings)
    features = learned.project(scene((0, 10, 12)))
    distractors = np.concatenate([at(10, 22)[:2, None], np.array([[1000.0], [0.0]])], axis=1)
    samples = learned._samples(features, at(10, 12), distractors)
    # 21 cells lie within two and a half of the target's, and 96 of the others stand for all
    near, others = 21, 96
    stands_for = (27 * 27 - near) / others
    assert len(samples.inputs) == near + others + 2
    expected = [1.0] * near + [stands_for] * others + [4 * stands_for] * 2
    assert samples.weights == pytest.approx(np.array(expected))
    # a fifth of the target's side, 64 pixels, is 1.6 cells
    assert samples.labels[:near].max() == pytest.approx(1)
    assert samples.labels[:near].min() == pytest.approx(np.exp(-5 / (2 * 1.6**2)))
    assert samples.labels[near:].max() < samples.labels[:near].min()
    # a distractor beyond the map is taken for its border's; windows of five cells within seven
    for inputs, (row, column) in zip(samples.inputs[-2:], [(10, 22), (13, 26)], strict=True):
        window = features[:, row + 1 : row + 6, column + 1 : column + 6]
        assert (inputs == window.ravel()).all()
