"""The teacher's look at a crop in which the target has its own size."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from visual_tracker.training.own_size import at_own_size, best_boxes, own_scale  # noqa: E402
from visual_tracker.training.teachers.nanotrack import Lesson  # noqa: E402


def crop_with_square(x: float, y: float, side: int) -> torch.Tensor:
    """A black crop (1, 3, 257, 257) with a white square around a point, from the crop's centre."""
    crop = torch.zeros(1, 3, 257, 257)
    left, top = round(128.5 + x - side / 2), round(128.5 + y - side / 2)
    crop[:, :, top : top + side, left : left + side] = 255.0
    return crop


def square_in(crop: torch.Tensor) -> list[float]:
    """Centre x and y, from the crop's centre, and side of what is brighter than the middle grey."""
    rows, columns = torch.nonzero(crop[0, 0] > 127, as_tuple=True)
    half = crop.shape[-1] / 2
    side = float(columns.max() - columns.min() + 1)
    return [
        float(columns.float().mean()) + 0.5 - half,
        float(rows.float().mean()) + 0.5 - half,
        side,
    ]


def test_a_target_that_fills_half_of_the_template_has_its_own_size() -> None:
    # 64.5 and as much context beside it make 129; twice as large makes 2; flat ones by area
    boxes = torch.tensor([[5.0, 9, 64.5, 64.5], [0, 0, 129, 129], [0, 0, 0, 0], [0, 0, 20, 60]])
    flat = (60 * 100) ** 0.5 / 129
    assert own_scale(boxes).tolist() == pytest.approx([1, 2, 1, flat])


@pytest.mark.parametrize("scale", [0.7, 1.0, 1.6])
def test_a_crop_made_anew_shows_place_and_size_by_the_scale(scale: float) -> None:
    crop = crop_with_square(24.5, -11.5, 50)
    seen = at_own_size(crop, torch.tensor([scale]))
    assert seen.shape == (1, 3, 255, 255)
    x, y, side = square_in(seen)
    assert (x, y) == pytest.approx((24.5 / scale, -11.5 / scale), abs=0.51)
    assert side == pytest.approx(50 / scale, abs=1.01)


def test_beyond_the_crop_is_its_mean_colour() -> None:
    crop = torch.rand(1, 3, 257, 257) * 255
    seen = at_own_size(crop, torch.tensor([2.0]))
    assert torch.allclose(seen[0, :, 0, 0], crop.mean(dim=(2, 3))[0])


def a_lesson(logits: torch.Tensor) -> Lesson:
    """Boxes of 40 x 20 around every cell."""
    place = (torch.arange(15.0) - 7) * 16
    boxes = torch.empty(1, 4, 15, 15)
    boxes[0, 0], boxes[0, 1] = place[None, :], place[:, None]
    boxes[0, 2], boxes[0, 3] = 40, 20
    nothing = torch.zeros(1)
    return Lesson(nothing, logits, boxes, nothing, [])


def test_the_surest_box_near_the_target_is_taken_not_the_surest_of_all() -> None:
    logits = torch.full((1, 15, 15), -5.0)
    logits[0, 7, 8], logits[0, 7, 13] = 2.0, 9.0
    (box,) = best_boxes(a_lesson(logits), torch.tensor([[10.0, 0, 60, 60]])).tolist()
    assert box == [16, 0, 40, 20]


def test_where_none_is_near_the_surest_of_all_is_taken() -> None:
    logits = torch.full((1, 15, 15), -5.0)
    logits[0, 2, 3] = 1.0
    (box,) = best_boxes(a_lesson(logits), torch.tensor([[500.0, 0, 10, 10]])).tolist()
    assert box == [-64, -80, 40, 20]
