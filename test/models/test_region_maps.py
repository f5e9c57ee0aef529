"""Maps of regions: engines give what torch gives, and are shared."""

from __future__ import annotations

import importlib.util
import logging
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from test.models.engines import ENGINES, TOLERANCE  # noqa: E402
from visual_tracker.models import shared_maps  # noqa: E402
from visual_tracker.models.adnet import LiteAdnet, VggAdnet  # noqa: E402
from visual_tracker.models.engines.base import EngineError  # noqa: E402
from visual_tracker.models.exports import export_maps  # noqa: E402
from visual_tracker.models.mdnet import MdNet  # noqa: E402
from visual_tracker.models.region_maps import GraphMaps, TorchMaps  # noqa: E402
from visual_tracker.models.shared_matchers import MatcherSpec  # noqa: E402

MAKERS = [
    pytest.param(LiteAdnet, id="adnet-lite"),
    pytest.param(MdNet.lite, id="mdnet-lite"),
    pytest.param(VggAdnet, id="adnet-vgg-m"),
    pytest.param(MdNet.vgg_m, id="mdnet-vgg-m"),
]


def made(maker: type) -> torch.nn.Module:
    torch.manual_seed(0)
    return maker().eval().requires_grad_(False)


def crop(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "maker", MAKERS, ids=["adnet-lite", "mdnet-lite", "adnet-vgg", "mdnet-vgg"]
)
def test_an_engine_gives_the_maps_of_torch(engine: ModuleType, maker: type, tmp_path: Path) -> None:
    network = made(maker)
    export_maps(network, tmp_path)
    on_torch = TorchMaps(network, "cpu")
    for precision in sorted({"fp32", engine.best_precision()}):
        on_engine = GraphMaps.load(tmp_path, engine, precision, 1)
        for size in ((145, 129), (113, 161)):  # the second is not what the graph was compiled for
            image = crop(*size)
            for found, expected in zip(on_engine(image), on_torch(image), strict=True):
                assert found.shape == expected.shape
                assert TOLERANCE[precision].admits(found, expected)


def test_bf16_on_torch_is_near_fp32() -> None:
    network = made(MdNet.lite)
    exact, rough = (TorchMaps(network, "cpu", precision) for precision in ("fp32", "bf16"))
    for found, expected in zip(rough(crop(97, 97)), exact(crop(97, 97)), strict=True):
        assert found.dtype == torch.float32
        assert not torch.equal(found, expected)
        assert TOLERANCE["bf16"].admits(found, expected)


def spec(path: Path, engine: str) -> MatcherSpec:
    path.touch()
    return MatcherSpec("mdnet", "lite", path, "cpu", engine, "auto", 1)


def test_those_who_ask_alike_share(tmp_path: Path) -> None:
    network = made(MdNet.lite)
    asked = spec(tmp_path / "a", "torch")
    maps = shared_maps.shared_maps(asked, network)
    assert isinstance(maps, TorchMaps)
    assert shared_maps.shared_maps(asked, network) is maps
    assert shared_maps.shared_maps(spec(tmp_path / "b", "torch"), network) is not maps


def test_what_cannot_be_exported_runs_on_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    if importlib.util.find_spec("onnxruntime") is None:
        pytest.skip("needs onnxruntime")

    def refuse(network: object, folder: Path) -> None:
        raise shared_maps.ExportError("no such layer")

    monkeypatch.setattr(shared_maps, "export_maps", refuse)
    with caplog.at_level(logging.WARNING):
        maps = shared_maps.shared_maps(spec(tmp_path / "c", "auto"), made(MdNet.lite))
    assert isinstance(maps, TorchMaps)
    assert "no such layer" in caplog.text
    with pytest.raises(EngineError, match="no such layer"):
        shared_maps.shared_maps(spec(tmp_path / "d", "onnxruntime"), made(MdNet.lite))
