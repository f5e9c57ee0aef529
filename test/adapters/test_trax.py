"""The TraX adapter, against a stand-in of the library and, where it is installed, the real one."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from test.evaluation.factories import ScriptedTracker, tracked, write_otb
from visual_tracker.adapters.trax import answer_requests
from visual_tracker.boxes import BoxError
from visual_tracker.cli import main
from visual_tracker.evaluation.datasets import read_dataset
from visual_tracker.evaluation.passes import single_pass
from visual_tracker.evaluation.sequences import DatasetError
from visual_tracker.trackers import Track, TrackState, create_tracker


class Rectangle:
    """Stands in for `trax.Rectangle`."""

    def __init__(self, *bounds: float) -> None:
        self._bounds = bounds

    def bounds(self) -> tuple[float, ...]:
        return self._bounds

    create = classmethod(lambda cls, *bounds: cls(*bounds))


#: stands in for the library
TRAX = SimpleNamespace(
    Rectangle=Rectangle,
    TraxStatus=SimpleNamespace(QUIT="quit", INITIALIZE="initialize", FRAME="frame"),
)


class Server:
    """Stands in for `trax.Server`: hands out requests and keeps the answers."""

    def __init__(self, requests: list[Any]) -> None:
        self._requests = iter(requests)
        self.answers: list[tuple[tuple[float, ...], dict]] = []

    def wait(self) -> Any:
        return next(self._requests)

    def status(self, objects: list) -> None:
        ((region, properties),) = objects
        self.answers.append((region.bounds(), properties))


def request(kind: str, file: Path | None = None, *bounds: float) -> Any:
    image = {"color": SimpleNamespace(path=lambda: str(file))}
    return SimpleNamespace(type=kind, image=image, objects=[(Rectangle(*bounds), {})])


def test_a_client_is_answered_until_it_quits(tmp_path: Path) -> None:
    files = sorted((write_otb(tmp_path, frames=4) / "img").iterdir())
    script = {
        1: tracked(11),
        2: Track(tracked(11).box, None, TrackState.LOST),
        3: Track(tracked(13).box, 0.7, TrackState.TRACKING),
    }
    tracker = ScriptedTracker(lambda number, last: script[number])
    server = Server(
        [
            request("initialize", files[0], 10.5, 20, 16, 16),
            *(request("frame", file) for file in files[1:]),
            request("initialize", files[2], -4, 20, 16, 16),
            request("quit"),
        ]
    )
    answer_requests(server, tracker, TRAX)
    assert server.answers == [
        ((10.5, 20, 16, 16), {}),
        ((11, 20, 16, 16), {"confidence": 1.0}),
        ((11, 20, 16, 16), {"confidence": 0.0}),
        ((13, 20, 16, 16), {"confidence": 0.7}),
        ((0, 20, 12, 16), {}),  # as clipped to the image
    ]
    assert [frame for frame, _ in tracker.started_on] == [0, 2]
    assert tracker.seen == [1, 2, 3]


def test_what_cannot_be_tracked_is_an_error_for_the_client(tmp_path: Path) -> None:
    file = next(iter((write_otb(tmp_path) / "img").iterdir()))
    outside = Server([request("initialize", file, 500, 500, 9, 9)])
    with pytest.raises(BoxError):
        answer_requests(outside, ScriptedTracker(), TRAX)
    missing = Server([request("initialize", tmp_path / "none.png", 1, 1, 9, 9)])
    with pytest.raises(DatasetError, match=r"none\.png"):
        answer_requests(missing, ScriptedTracker(), TRAX)


def test_without_the_library_the_command_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trax", None)
    result = CliRunner().invoke(main, ["trax", "--tracker", "kcf"])
    assert result.exit_code == 2
    assert "pip install '.[vot]'" in result.output


def test_the_real_library_gets_the_boxes_that_we_get(tmp_path: Path) -> None:
    client_module = pytest.importorskip("trax.client")
    import subprocess

    import trax

    (sequence,) = read_dataset(write_otb(tmp_path, frames=6))
    code = "from visual_tracker.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "trax", "--tracker", "csrt"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    client = client_module.Client(
        stream=(process.stdin.fileno(), process.stdout.fileno()), log=lambda line: None
    )
    boxes = []
    for index, file in enumerate(sequence.frames.files):
        image = {"color": trax.FileImage.create(str(file))}
        if index == 0:
            first = trax.Rectangle.create(*sequence.truth[0])
            objects, _ = client.initialize(image, [(first, {})], {})
        else:
            objects, _ = client.frame(image, {}, [])
            assert float(objects[0][1]["confidence"]) == 1
        boxes.append(objects[0][0].bounds())
    client.quit()
    assert process.wait(30) == 0
    ours = single_pass(create_tracker("csrt"), sequence).boxes
    np.testing.assert_allclose(boxes, ours, atol=1e-3)
