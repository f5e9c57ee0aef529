"""Crops cut by torch are OpenCV's."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from test.models.devices import DEVICES  # noqa: E402
from visual_tracker.crops import CropFrame, source_part, take_crop  # noqa: E402
from visual_tracker.models.device_crops import Source, Upload, cut_crops  # noqa: E402
from visual_tracker.models.matchers import Question  # noqa: E402

PADDING = np.array([10.0, 20.0, 30.0])


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    """Smooth, so that OpenCV's 32nds of a pixel make no difference of many levels."""
    small = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    return cv2.resize(small, (640, 480), interpolation=cv2.INTER_CUBIC)


def question(image: np.ndarray, *frame: float) -> Question:
    return Question(None, image, CropFrame(*frame, 161, 129), PADDING)


@pytest.mark.parametrize("device", DEVICES)
def test_crops_of_a_batch_are_those_of_opencv(image: np.ndarray, device: str) -> None:
    asked = [
        question(image, 320.0, 240.0, 0.37),
        question(image, 3.2, 470.9, 1.0),
        question(image, 639.0, 1.0, 1.9),
        question(image, 100.7, 200.2, 2.0),
        question(image, 320.0, 240.0, 9.3),
        question(image, -300.0, 240.0, 1.0),
    ]
    sources = [Source(each) for each in asked]
    upload = Upload(device)
    upload.put(sources, 8)
    found = cut_crops(upload.on_device, 8, 129, 161)
    assert found.is_contiguous(memory_format=torch.channels_last)
    crops = found.permute(0, 2, 3, 1).cpu().numpy()
    for crop, each in zip(crops, asked, strict=False):
        difference = np.abs(crop - take_crop(*each[1:]))
        assert difference.max() <= 6
        assert difference.mean() <= 0.2
    np.testing.assert_array_equal(crops[6:], crops[[0, 0]])
    # another batch in the same buffers, with less in it
    upload.put(sources[3:4], 1)
    np.testing.assert_array_equal(
        cut_crops(upload.on_device, 1, 129, 161).permute(0, 2, 3, 1).cpu().numpy()[0], crops[3]
    )


def test_a_crop_that_is_cut_out_already_comes_back_as_it_is(image: np.ndarray) -> None:
    crop = image[100:229, 50:211]
    upload = Upload("cpu", 161 * 129)
    upload.put([Source(Question.of_crop(None, crop))], 1)
    found = cut_crops(upload.on_device, 1, 129, 161)[0].permute(1, 2, 0).numpy()
    np.testing.assert_array_equal(found, crop)


@pytest.mark.parametrize("pixel", [0.3, 1.0, 1.99, 2.0, 7.5])
def test_no_more_goes_up_than_a_crop_needs(image: np.ndarray, pixel: float) -> None:
    part, frame = source_part(image, CropFrame(200.4, 100.6, pixel, 161, 129))
    assert part.size <= (2 * 161 + 4) * (2 * 129 + 4) * 3
    np.testing.assert_array_equal(
        take_crop(part, frame, PADDING),
        take_crop(image, CropFrame(200.4, 100.6, pixel, 161, 129), PADDING),
    )
