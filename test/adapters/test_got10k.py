"""The got10k toolkit runs our trackers as we run them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from test.evaluation.factories import write_otb
from visual_tracker.adapters.got10k import as_got10k_tracker
from visual_tracker.evaluation.candidates import Candidate
from visual_tracker.evaluation.datasets import read_dataset
from visual_tracker.evaluation.passes import single_pass

CSRT = Candidate("label", "csrt")


@pytest.mark.parametrize("one_based", [True, False])
def test_got10k_gets_the_boxes_that_we_get(tmp_path: Path, one_based: bool) -> None:
    pytest.importorskip("got10k.trackers")
    write_otb(tmp_path, "One", 10)
    (sequence,) = read_dataset(tmp_path)
    shift = np.array([1, 1, 0, 0]) * one_based
    tracker = as_got10k_tracker(CSRT, one_based)
    files = [str(path) for path in sequence.frames.files]
    boxes, times = tracker.track(files, sequence.truth[0] + shift)
    ours = single_pass(CSRT.create(), sequence)
    np.testing.assert_allclose(boxes - shift, ours.boxes)
    assert len(np.unique(boxes[:, 0])) > 3  # it moved
    assert tracker.name == "label"
    assert (times > 0).all()
