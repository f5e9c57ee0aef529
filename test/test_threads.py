"""Threads are limited in the libraries that are there; nothing is imported for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import pytest

from visual_tracker import create_tracker
from visual_tracker.evaluation.candidates import Candidate
from visual_tracker.threads import limit_threads


@pytest.fixture(autouse=True)
def as_before() -> object:
    count = cv2.getNumThreads()
    yield
    cv2.setNumThreads(count)


def test_torch_is_limited_only_where_it_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(set_num_threads=asked.append))
    limit_threads(2)
    assert asked == [2]
    assert cv2.getNumThreads() == 2
    monkeypatch.delitem(sys.modules, "torch")
    limit_threads(1)
    assert cv2.getNumThreads() == 1
    assert "torch" not in sys.modules


def test_numpys_products_take_one_thread() -> None:
    code = (
        "import cv2, numpy, os, time; from visual_tracker import threads;"
        "before = threads.openblas_threads(); threads.limit_threads(2);"
        "print(len(before), *threads.openblas_threads());"
        "matrix = numpy.ones((800, 800), numpy.float32);\n"
        "def share():\n"
        "    spent = time.process_time(), time.thread_time(); matrix @ matrix\n"
        "    return (time.process_time() - spent[0]) / (time.thread_time() - spent[1])\n"
        # threads woken before the limit spin on for a moment; with two, every product takes both
        "print(min(share() for _ in range(20)) < 1.5)"
    )
    environment = {key: os.environ[key] for key in os.environ if not key.endswith("NUM_THREADS")}
    result = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
        env=environment,
    )
    counts, is_alone = result.stdout.split("\n")[:2]
    number, *after = counts.split()
    if number == "0":
        pytest.skip("NumPy has no OpenBLAS here")
    assert after == ["1"] * int(number)
    assert is_alone == "True"


@pytest.mark.parametrize("threads", [1, 2])
def test_opencvs_trackers_limit_its_pool(threads: int) -> None:
    create_tracker("kcf", threads=threads)
    assert cv2.getNumThreads() == threads


@pytest.mark.parametrize("name", ["mdnet", "adnet"])
def test_trackers_that_learn_on_line_limit_both(name: str) -> None:
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    try:
        create_tracker(name, "cpu", threads=2)
        assert (torch.get_num_threads(), cv2.getNumThreads()) == (2, 2)
    finally:
        torch.set_num_threads(before)


def test_a_candidate_takes_threads_unless_it_has_its_own() -> None:
    assert Candidate("kcf", "kcf").with_threads(2).settings == {"threads": 2}
    own = Candidate("kcf", "kcf", {"threads": 3})
    assert own.with_threads(2) is own
