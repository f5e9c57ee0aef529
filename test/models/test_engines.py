"""Engines give what eager torch gives, on crops of every size, from one export."""

from __future__ import annotations

import copy
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from test.models.engines import ENGINES, TOLERANCE  # noqa: E402
from visual_tracker.benchmarks.speed import Scene  # noqa: E402
from visual_tracker.models import torch_matchers  # noqa: E402
from visual_tracker.models.alexnet import AlexNetSiamRpn  # noqa: E402
from visual_tracker.models.cfnet import LiteCfNet  # noqa: E402
from visual_tracker.models.engines import openvino  # noqa: E402
from visual_tracker.models.engines.base import EngineError  # noqa: E402
from visual_tracker.models.exports import ExportError, export_onnx  # noqa: E402
from visual_tracker.models.geometry import GeometryError  # noqa: E402
from visual_tracker.models.graph_matchers import (  # noqa: E402
    GraphMemoryMatcher,
    GraphProposalMatcher,
    GraphRecurrentMatcher,
    GraphResponseMatcher,
)
from visual_tracker.models.lite_siamrpn import LiteSiamRpn  # noqa: E402
from visual_tracker.models.memtrack import LiteMemTrack  # noqa: E402
from visual_tracker.models.re3 import LiteRe3  # noqa: E402
from visual_tracker.models.response_network import ResponseNetwork  # noqa: E402
from visual_tracker.models.siamfc import LiteSiamFc  # noqa: E402
from visual_tracker.models.torch_matchers import (  # noqa: E402
    TorchMemoryMatcher,
    TorchProposalMatcher,
    TorchRecurrentMatcher,
    TorchResponseMatcher,
    folded,
)
from visual_tracker.models.weights import packaged_weights  # noqa: E402

PACKAGED = packaged_weights("siamrpn", "lite")


def crop(size: tuple[int, int], seed: int = 0) -> np.ndarray:
    """A smooth, colourful crop of (width, height)."""
    return np.ascontiguousarray(Scene(640, 480).image(seed)[: size[1], : size[0]])


def precisions(engine: ModuleType) -> list[str]:
    return sorted({"fp32", engine.best_precision()})


def assert_close(found: np.ndarray, expected: np.ndarray, precision: str) -> None:
    assert found.shape == expected.shape
    assert found.dtype == np.float32
    assert TOLERANCE[precision].admits(found, expected)


@pytest.fixture(scope="module")
def lite() -> torch.nn.Module:
    """The packaged network, or an untrained one of its shape."""
    if PACKAGED is None:
        return folded(LiteSiamRpn().eval())
    return torch_matchers.load_network("siamrpn", "lite", PACKAGED)


@pytest.fixture(scope="module")
def lite_export(lite: torch.nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lite")
    export_onnx(lite, folder)
    return folder


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_answers_as_eager_torch_does(
    engine: ModuleType, lite: torch.nn.Module, lite_export: Path
) -> None:
    reference = TorchProposalMatcher(lite, "cpu")
    image = crop((129, 129))
    template = reference.learn(image)
    for precision in precisions(engine):
        matcher = GraphProposalMatcher.load(lite_export, engine, precision, threads=1)
        assert matcher.geometry == reference.geometry
        own = matcher.learn(image)
        assert_close(matcher.embedding(own), reference.embedding(template), precision)
        for size in ((257, 257), (321, 273), (257, 257)):
            expected = reference.respond(template, crop(size, 3))
            found = matcher.respond(own, crop(size, 3))
            for name in found._fields:
                assert_close(getattr(found, name), getattr(expected, name), precision)


def test_openvino_does_without_a_graph_for_one_size(
    lite_export: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("openvino")
    matcher = GraphProposalMatcher.load(lite_export, openvino, "fp32", threads=1)
    template = matcher.learn(crop((129, 129)))
    fast = GraphProposalMatcher.load(lite_export, openvino, "fp32", threads=1)
    fast.warm_up()

    class Core:
        def compile_model(self, *_: object) -> None:
            raise RuntimeError("not for this shape")

    monkeypatch.setattr(openvino, "_core", Core)
    found = matcher.respond(template, crop((257, 257), 3))
    assert "(1, 257, 257, 3) alone is not used: not for this shape" in caplog.text
    expected = fast.respond(template, crop((257, 257), 3))
    for name in found._fields:
        assert_close(getattr(found, name), getattr(expected, name), "fp32")


@pytest.mark.parametrize("engine", ENGINES)
def test_an_answer_stays_when_the_next_one_comes(engine: ModuleType, lite_export: Path) -> None:
    matcher = GraphProposalMatcher.load(lite_export, engine, "fp32", threads=1)
    template = matcher.learn(crop((129, 129)))
    first = matcher.respond(template, crop((257, 257), 1))
    kept = [array.copy() for array in (*first, *template.values())]
    matcher.respond(matcher.learn(crop((129, 129), 5)), crop((257, 257), 40))
    for array, before in zip((*first, *template.values()), kept, strict=True):
        np.testing.assert_array_equal(array, before)


@pytest.mark.parametrize("engine", ENGINES)
def test_two_threads_may_share_a_matcher(engine: ModuleType, lite_export: Path) -> None:
    matcher = GraphProposalMatcher.load(lite_export, engine, "fp32", threads=1)
    templates = [matcher.learn(crop((129, 129), seed)) for seed in (0, 30)]
    images = [crop((257, 257), seed) for seed in (0, 30)]
    alone = [matcher.respond(*pair) for pair in zip(templates, images, strict=True)]
    with ThreadPoolExecutor(2) as pool:
        calls = [(index % 2, pool.submit(matcher.respond, templates[index % 2], images[index % 2]))
                 for index in range(8)]  # fmt: skip
        for index, call in calls:
            np.testing.assert_allclose(call.result().scores, alone[index].scores, atol=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
def test_mixed_templates_are_those_of_eager_torch(
    engine: ModuleType, lite: torch.nn.Module, lite_export: Path
) -> None:
    graph = GraphProposalMatcher.load(lite_export, engine, "fp32", 1)
    eager = TorchProposalMatcher(copy.deepcopy(lite), "cpu")
    crops = [crop((129, 129)), np.ascontiguousarray(crop((129, 129))[::-1])]
    first, second = (graph.learn(image) for image in crops)
    kept = {name: array.copy() for name, array in first.items()}
    found = graph.respond(graph.mixed(first, second, 0.25), crop((257, 257)))
    expected = eager.respond(
        eager.mixed(*(eager.learn(image) for image in crops), 0.25), crop((257, 257))
    )
    for mine, theirs in zip(found, expected, strict=True):
        assert_close(mine, theirs, "fp32")
    alone = graph.respond(first, crop((257, 257)))
    assert np.abs(alone.scores - found.scores).max() > 1e-3
    assert all(np.array_equal(first[name], kept[name]) for name in kept)


@pytest.mark.parametrize(("make", "side"), [(LiteSiamFc, 129), (LiteCfNet, 257)])
@pytest.mark.parametrize("engine", ENGINES)
def test_one_response_map_of_a_batch_is_eager_torchs(
    engine: ModuleType, make: Callable[[int], ResponseNetwork], side: int, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    network = folded(make(16).eval())
    export_onnx(network, tmp_path)
    reference = TorchResponseMatcher(network, "cpu")
    matcher = GraphResponseMatcher.load(tmp_path, engine, "fp32", threads=1)
    kernel = matcher.learn(crop((side, side)))
    assert_close(kernel, reference.learn(crop((side, side))), "fp32")
    images = [crop((257, 257), seed) for seed in (0, 10, 20)]
    assert_close(matcher.respond(kernel, images), reference.respond(kernel, images), "fp32")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_memory_over_several_frames_is_eager_torchs(engine: ModuleType, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = LiteMemTrack(16).eval()
    for parameter in network.memory.parameters():
        torch.nn.init.normal_(parameter, std=0.5)  # so that all slots and gates are in use
    network = folded(network)
    export_onnx(network, tmp_path)
    reference = TorchMemoryMatcher(network, "cpu")
    matcher = GraphMemoryMatcher.load(tmp_path, engine, "fp32", threads=1)
    found, expected = matcher.learn(crop((129, 129))), reference.learn(crop((129, 129)))
    for frame in range(4):
        for name, mine, theirs in zip(found._fields, found, expected, strict=True):
            assert mine.shape == theirs.shape
            assert np.abs(mine - theirs).max() <= 1e-3 * max(1, np.abs(theirs).max()), name
        images = [crop((257, 257), seed) for seed in range(frame, frame + 3)]
        seen = reference.learn(crop((129, 129), frame)).first
        answer, found = matcher.recall(found, seen, images)
        its_answer, expected = reference.recall(expected, seen, images)
        assert answer.shape == (3, 27, 27)
        assert TOLERANCE["fp32"]._replace(mean=1e-3, largest=1e-3).admits(answer, its_answer)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_recurrent_network_over_several_frames_is_eager_torchs(
    engine: ModuleType, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    network = LiteRe3(joined=32, hidden=24).eval()
    torch.nn.init.normal_(network.corners.weight)
    network = folded(network)
    export_onnx(network, tmp_path)
    reference = TorchRecurrentMatcher(network, "cpu")
    matcher = GraphRecurrentMatcher.load(tmp_path, engine, "fp32", threads=1)
    found, expected = matcher.learn(crop((129, 129))), reference.learn(crop((129, 129)))
    for frame in range(4):
        pair = crop((129, 129), frame), crop((129, 129), frame + 1)
        corners, found = matcher.follow(found, *pair)
        its_corners, expected = reference.follow(expected, *pair)
        assert corners.shape == (4,)
        assert np.abs(corners - its_corners).max() < 1e-3
        for name, mine, theirs in zip(found._fields, found, expected, strict=True):
            assert mine.shape == theirs.shape
            assert np.abs(mine - theirs).max() < 1e-3, name


@pytest.mark.parametrize("engine", ENGINES)
def test_alexnet_with_one_fixed_search_size(engine: ModuleType, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = folded(AlexNetSiamRpn().eval())
    # Untrained logits of thousands would make the softmax a coin's throw.
    network.conv_cls1.weight.data *= 1e-3
    network.conv_cls1.bias.data *= 1e-3
    export_onnx(network, tmp_path, search_size=279)
    reference = TorchProposalMatcher(network, "cpu")
    matcher = GraphProposalMatcher.load(tmp_path, engine, "fp32", threads=1)
    image, search = crop((127, 127)), crop((279, 279), 2)
    expected = reference.respond(reference.learn(image), search)
    found = matcher.respond(matcher.learn(image), search)
    for name in found._fields:
        assert_close(getattr(found, name), getattr(expected, name), "fp32")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_damaged_export_is_named(engine: ModuleType, lite_export: Path, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no complete export"):
        GraphProposalMatcher.load(tmp_path, engine, "fp32", threads=1)
    for file in lite_export.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "search.onnx").write_bytes(b"rubbish")
    with pytest.raises(EngineError, match=r"cannot run .*search\.onnx"):
        GraphProposalMatcher.load(tmp_path, engine, "fp32", threads=1)


def test_eager_bf16_is_close_to_fp32(lite: torch.nn.Module) -> None:
    image, search = crop((129, 129)), crop((257, 257), 3)
    reference = TorchProposalMatcher(lite, "cpu")
    half = TorchProposalMatcher(copy.deepcopy(lite), "cpu", "bf16")
    expected = reference.respond(reference.learn(image), search)
    found = half.respond(half.learn(image), search)
    for name in found._fields:
        assert_close(getattr(found, name), getattr(expected, name), "eager bf16")


def test_what_cannot_be_exported_is_refused(lite: torch.nn.Module, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="Linear is no Siamese network"):
        export_onnx(torch.nn.Linear(1, 1), tmp_path)
    with pytest.raises(GeometryError, match="a search size of 260 does not fit"):
        export_onnx(lite, tmp_path, search_size=260)
