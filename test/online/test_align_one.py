"""One box in NumPy gives what many give in torch."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from visual_tracker.online.align_one import align_one, line_weights  # noqa: E402
from visual_tracker.online.roi_align import roi_align  # noqa: E402

#: inside, fine, coarse, beyond every border, larger than the map, and off the map
BOXES = [
    (3.2, 4.1, 6.3, 5.2),
    (5.0, 5.0, 0.7, 0.9),
    (0.5, 1.0, 17.0, 9.0),
    (-4.0, -3.0, 8.0, 9.0),
    (-9.0, -9.0, 60.0, 70.0),
    (30.0, 40.0, 5.0, 5.0),
]


@pytest.mark.parametrize("box", BOXES)
@pytest.mark.parametrize("size", [3, 7])
def test_it_is_roi_align(box: tuple[float, ...], size: int) -> None:
    features = np.random.default_rng(0).standard_normal((13, 19, 5)).astype(np.float32)
    expected = roi_align(torch.from_numpy(features).permute(2, 0, 1), torch.tensor([box]), size)[0]
    found = align_one(features, np.array(box), size)
    np.testing.assert_allclose(found, expected.numpy(), atol=2e-5)


def test_weights_of_a_bin_sum_to_one() -> None:
    for start, length in ((0.0, 3.0), (-5.0, 40.0), (2.5, 11.3)):
        np.testing.assert_allclose(line_weights(start, length, 7, 12).sum(axis=1), 1, atol=1e-6)
