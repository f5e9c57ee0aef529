"""What the Siamese trackers share: availability, devices, weights, bounds, determinism."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest

from test.fakes import forbid
from visual_tracker import Box, TrackerUnavailableError, available_trackers, create_tracker
from visual_tracker.models import shared_matchers
from visual_tracker.models.engines.choice import installed_engine
from visual_tracker.models.weights import packaged_weights
from visual_tracker.trackers import torch_runtime, tracker_class

NAMES = ("siamfc", "cfnet", "memtrack", "re3", "siamrpn", "dasiamrpn")


def test_listing_the_trackers_imports_no_torch() -> None:
    code = (
        "import sys; from visual_tracker import available_trackers;"
        "names = {t.name for t in available_trackers()};"
        f"assert set({NAMES}) <= names; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


@pytest.mark.parametrize("name", NAMES)
def test_without_torch_the_reason_says_what_to_install(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda module: None)
    reasons = {info.name: info.unavailable_reason for info in available_trackers()}
    assert reasons[name] is not None
    assert "install torch" in reasons[name]


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_weights_file_is_named(name: str) -> None:
    pytest.importorskip("torch")
    with pytest.raises(TrackerUnavailableError, match=r"/no/such\.file"):
        create_tracker(name, weights="/no/such.file")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("call", ["stat", "open"])
def test_weights_that_one_may_not_read_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, call: str
) -> None:
    pytest.importorskip("torch")
    (tmp_path / "w.model").write_bytes(b"rubbish")
    forbid(monkeypatch, tmp_path / "w.model", call)
    why = r"'weights' names \S+w\.model, which cannot be read: Permission denied"
    with pytest.raises(TrackerUnavailableError, match=why):
        create_tracker(name, weights=str(tmp_path / "w.model"))


def test_weights_of_a_name_too_long_are_refused_in_a_short_line() -> None:
    pytest.importorskip("torch")
    with pytest.raises(TrackerUnavailableError, match="File name too long") as error:
        create_tracker("siamrpn", weights="a" * 5000)
    assert len(str(error.value)) < 400


def test_a_network_without_weights_says_which_parameter_to_set() -> None:
    pytest.importorskip("torch")
    with pytest.raises(TrackerUnavailableError, match="set its parameter 'weights'"):
        create_tracker("dasiamrpn", network="alexnet-vot")


def test_wrong_weights_are_refused_in_one_line(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    (tmp_path / "w.model").write_bytes(b"rubbish")
    with pytest.raises(TrackerUnavailableError, match="cannot be read as weights") as error:
        create_tracker("siamrpn", network="alexnet-vot", weights=str(tmp_path / "w.model"))
    assert "\n" not in str(error.value)


def test_released_style_alexnet_weights_track(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from visual_tracker.models.networks import create_network

    torch.manual_seed(0)
    torch.save(create_network("siamrpn", "alexnet-vot").state_dict(), tmp_path / "w.model")
    tracker = create_tracker("siamrpn", network="alexnet-vot", weights=str(tmp_path / "w.model"))
    image = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    tracker.init(image, Box(100, 80, 50, 40))
    track = tracker.track(image)
    assert 0 <= track.confidence <= 1
    assert track.search_region.width == pytest.approx(tracker._pixel(Box(0, 0, 50, 40)) * 271)


def scene(x: float, y: float) -> np.ndarray:
    """A textured target on a textured ground."""
    rng = np.random.default_rng(3)
    ground = cv2.resize(rng.integers(60, 120, (24, 32, 3), dtype=np.uint8), (320, 240))
    target = cv2.resize(rng.integers(0, 256, (5, 5, 3), dtype=np.uint8), (48, 40))
    ground[round(y) : round(y) + 40, round(x) : round(x) + 48] = target
    return ground


packaged = [
    name for name in NAMES if packaged_weights(tracker_class(name).kind, "lite") is not None
]


@pytest.mark.parametrize("name", packaged)
def test_the_packaged_weights_follow_a_moving_target(name: str) -> None:
    pytest.importorskip("torch")
    tracker = create_tracker(name)
    tracker.init(scene(80, 60), Box(80, 60, 48, 40))
    for step in range(1, 11):
        x, y = 80 + 6 * step, 60 + 4 * step
        track = tracker.track(scene(x, y))
        assert not track.is_lost
        assert track.box.iou(Box(x, y, 48, 40)) > 0.4


@pytest.mark.parametrize("name", packaged)
def test_the_same_input_gives_the_same_boxes(name: str) -> None:
    pytest.importorskip("torch")
    runs = []
    for _ in range(2):
        tracker = create_tracker(name, "cpu")
        tracker.init(scene(80, 60), Box(80, 60, 48, 40))
        runs.append([tracker.track(scene(80 + 9 * step, 60)) for step in range(4)])
    assert runs[0] == runs[1]


@pytest.mark.parametrize("name", packaged)
def test_devices_that_are_not_there_are_refused(name: str) -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(TrackerUnavailableError, match="no device 'toaster'"):
        create_tracker(name, "toaster")
    if not torch.cuda.is_available():
        with pytest.raises(TrackerUnavailableError, match="no CUDA device"):
            create_tracker(name, "cuda")


def with_cuda_devices(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine whose driver and torch see so many GPUs."""
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch_runtime, "has_cuda_driver", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)


@pytest.mark.parametrize(("count", "device"), [(0, "cpu"), (1, "cuda")])
def test_auto_is_a_gpu_that_torch_can_use(
    count: int, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_cuda_devices(count, monkeypatch)
    assert torch_runtime.resolve_device("auto") == device


def test_a_gpu_beyond_the_last_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with_cuda_devices(2, monkeypatch)
    for device in ("cuda", "cuda:0", "cuda:1"):
        assert torch_runtime.resolve_device(device) == device
    with pytest.raises(TrackerUnavailableError, match=r"no device 'cuda:2'.*last is cuda:1"):
        torch_runtime.resolve_device("cuda:2")


@pytest.mark.parametrize(
    "device",
    ["meta", "mps", "xpu", "cpu:7", "cuda:", "cuda:01", "cuda:-1", "cuda:9999", "", None, 0],
    ids=repr,
)
def test_only_the_documented_devices_are_taken(
    device: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_cuda_devices(2, monkeypatch)
    with pytest.raises(TrackerUnavailableError, match=r"no device .*; use auto, cpu, cuda or cuda"):
        torch_runtime.resolve_device(device)


def test_without_torch_a_gpu_is_passed_over_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_runtime, "has_cuda_driver", lambda: True)
    monkeypatch.setitem(sys.modules, "torch", None)  # as where it is not installed
    assert torch_runtime.resolve_device("auto") == "cpu"
    with pytest.raises(TrackerUnavailableError, match=r"device 'cuda'.*: install torch"):
        torch_runtime.resolve_device("cuda")


@pytest.mark.parametrize("name", packaged)
def test_a_target_at_the_border_and_a_tiny_one_keep_a_valid_box(name: str) -> None:
    pytest.importorskip("torch")
    image = np.random.default_rng(1).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    for box in (
        Box(-20, -10, 40, 40),
        Box(150, 110, 10, 10),
        Box(40, 40, 3, 4),
        Box(0, 0, 160, 120),
    ):
        tracker = create_tracker(name)
        tracker.init(image, box)
        for _ in range(3):
            track = tracker.track(image)
            assert 0 <= track.box.center[0] <= 160
            assert 0 <= track.box.center[1] <= 120
            assert track.box.width <= 160
            assert track.box.height <= 120


@pytest.mark.parametrize("name", packaged)
def test_a_target_is_followed_in_an_image_too_large_for_opencv_to_warp(name: str) -> None:
    pytest.importorskip("torch")
    image = np.full((240, 33000, 3), 90, np.uint8)
    tracker = create_tracker(name)
    for step in range(4):
        x = 80 + 6 * step
        image[:, 32500:32820] = scene(x, 60)
        if step == 0:
            tracker.init(image, Box(32500 + x, 60, 48, 40))
            continue
        track = tracker.track(image)
        assert not track.is_lost
        assert track.box.iou(Box(32500 + x, 60, 48, 40)) > 0.4


def isolated(code: str, cache: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Python in a process of its own with its own cache of exports."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "XDG_CACHE_HOME": str(cache), **environment},
        capture_output=True,
        text=True,
    )


TRACK = """
import sys
import numpy as np
from visual_tracker import Box, create_tracker
image = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
tracker = create_tracker("dasiamrpn", "cpu")
tracker.init(image, Box(40, 40, 40, 30))
print(type(tracker.matcher).__name__, tracker.track(image).box.width > 0,
      sys.modules.get("torch") is not None)
"""

needs_engine = pytest.mark.skipif(
    "dasiamrpn" not in packaged or not installed_engine() or find_spec("onnx") is None,
    reason="needs an engine, onnx and packaged weights",
)


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of exports that is empty, and no matcher in use."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    shared_matchers._MATCHERS.clear()
    return tmp_path


@needs_engine
def test_an_export_is_made_once_and_then_torch_need_not_be_there(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    first = isolated(TRACK, tmp_path)
    assert first.stdout.split() == ["GraphProposalMatcher", "True", "True"], first.stderr
    second = isolated("import sys; sys.modules['torch'] = None\n" + TRACK, tmp_path)
    assert second.stdout.split() == ["GraphProposalMatcher", "True", "False"], second.stderr


@needs_engine
def test_a_cache_that_cannot_be_written_costs_only_time(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    (tmp_path / "visual_tracker").write_text("a file in the folder's place")
    run = isolated(TRACK, tmp_path)
    assert run.stdout.split() == ["GraphProposalMatcher", "True", "True"], run.stderr
    assert "exports cannot be kept" in run.stderr


@needs_engine
def test_a_full_disk_of_the_cache_costs_only_time(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    export = torch.onnx.export

    def export_elsewhere(graph: object, example: object, path: str, **options: object) -> None:
        if Path(path).is_relative_to(own_cache):
            raise OSError(28, "No space left on device", path)
        export(graph, example, path, **options)

    monkeypatch.setattr(torch.onnx, "export", export_elsewhere)
    tracker = create_tracker("siamrpn", "cpu")
    assert type(tracker.matcher).__name__ == "GraphProposalMatcher"


@needs_engine
def test_where_nothing_can_be_written_torch_runs_the_network(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    (own_cache / "visual_tracker").touch()
    monkeypatch.setattr(tempfile, "tempdir", str(own_cache / "nowhere"))
    assert type(create_tracker("siamrpn", "cpu").matcher).__name__ == "TorchProposalMatcher"


@needs_engine
def test_networks_are_exported_one_at_a_time(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    export, under_way = torch.onnx.export, threading.Semaphore(1)

    def alone(*arguments: object, **options: object) -> None:
        assert under_way.acquire(blocking=False)
        export(*arguments, **options)
        under_way.release()

    monkeypatch.setattr(torch.onnx, "export", alone)
    with ThreadPoolExecutor(3) as pool:
        made = list(pool.map(create_tracker, ("siamrpn", "siamrpn", "siamfc")))
    assert made[0].matcher is made[1].matcher
    assert [type(one.matcher).__name__[:5] for one in made] == ["Graph"] * 3


@needs_engine
def test_a_damaged_export_is_made_anew(own_cache: Path) -> None:
    pytest.importorskip("torch")
    create_tracker("siamrpn", "cpu")
    (folder,) = (own_cache / "visual_tracker" / "exports").iterdir()
    (folder / "search.onnx").write_bytes(b"rubbish")
    shared_matchers._MATCHERS.clear()
    tracker = create_tracker("siamrpn", "cpu")
    assert type(tracker.matcher).__name__ == "GraphProposalMatcher"
    assert (folder / "search.onnx").stat().st_size > 1000


def test_an_engine_that_is_not_installed_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("torch")
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name == "openvino" else find(name)
    )
    with pytest.raises(TrackerUnavailableError, match=r"pip install '.\[openvino\]'"):
        create_tracker("siamrpn", engine="openvino")


@pytest.mark.skipif("siamrpn" not in packaged, reason="needs packaged weights")
def test_threads_are_pinned_for_all_libraries() -> None:
    torch = pytest.importorskip("torch")
    before = cv2.getNumThreads(), torch.get_num_threads()
    try:
        create_tracker("siamrpn", "cpu", engine="torch", threads=1)
        assert (cv2.getNumThreads(), torch.get_num_threads()) == (1, 1)
        create_tracker("siamrpn", "cpu", engine="torch", threads=2)
        assert (cv2.getNumThreads(), torch.get_num_threads()) == (2, 2)
    finally:
        cv2.setNumThreads(before[0])
        torch.set_num_threads(before[1])
