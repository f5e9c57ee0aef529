"""Weights: found, checked, refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
safetensors_torch = pytest.importorskip("safetensors.torch")

from visual_tracker.models import weights  # noqa: E402
from visual_tracker.models.alexnet import AlexNetSiamRpn  # noqa: E402
from visual_tracker.models.lite_siamrpn import LiteSiamRpn  # noqa: E402
from visual_tracker.models.loading import load_weights, write_weights  # noqa: E402
from visual_tracker.models.networks import create_network  # noqa: E402
from visual_tracker.models.siamfc import LiteSiamFc  # noqa: E402


class Harmful:
    """An object that a pickle could carry."""


def test_a_released_style_file_loads(tmp_path: Path) -> None:
    source, target = AlexNetSiamRpn(), AlexNetSiamRpn()
    state = {
        name: value
        for name, value in source.state_dict().items()
        if not name.endswith("num_batches_tracked")  # the release predates them
    }
    path = tmp_path / "SiamRPNVOT.model"
    torch.save(state, path)
    load_weights(target, path)
    for name, value in state.items():
        assert torch.equal(target.state_dict()[name], value)


def test_weights_are_written_in_half_precision_and_loaded_as_single(tmp_path: Path) -> None:
    source, target = LiteSiamFc(8), LiteSiamFc(8)
    path = tmp_path / "w.safetensors"
    write_weights(source.state_dict(), path)
    stored = safetensors_torch.load_file(path)
    statistics = {name for name in stored if "running" in name}
    assert statistics
    for name, value in stored.items():
        assert value.dtype == (torch.float32 if name in statistics else torch.float16), name
    assert not [name for name in stored if name.endswith("num_batches_tracked")]
    load_weights(target, path)
    assert target.neck.fine.weight.dtype == torch.float32
    assert torch.equal(target.neck.fine.weight, source.neck.fine.weight.half().float())


def test_variances_beyond_half_precision_survive(tmp_path: Path) -> None:
    source, target = LiteSiamFc(8), LiteSiamFc(8)
    variance = source.neck.norm.running_var
    variance.copy_(torch.logspace(-8, 8, len(variance)))
    write_weights(source.state_dict(), tmp_path / "w.safetensors")
    load_weights(target, tmp_path / "w.safetensors")
    assert torch.equal(target.neck.norm.running_var, variance)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"something": torch.zeros(1)}, "does not fit this network: it lacks"),
        ({"step": 3}, "is no state dict"),
        (Harmful(), "cannot be read as weights"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(tmp_path: Path, content: object, message: str) -> None:
    path = tmp_path / "wrong.pth"
    torch.save(content, path)
    with pytest.raises(weights.WeightsError, match=message) as error:
        load_weights(LiteSiamFc(8), path)
    assert "\n" not in str(error.value)


def test_another_width_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "wide.safetensors"
    safetensors_torch.save_file(LiteSiamFc(16).state_dict(), path)
    with pytest.raises(weights.WeightsError, match="misshapes neck"):
        load_weights(LiteSiamFc(8), path)


@pytest.mark.parametrize("name", ["no.safetensors", "no.model"])
def test_a_missing_file_and_rubbish_are_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with pytest.raises(weights.WeightsError, match="is no file"):
        load_weights(LiteSiamFc(8), path)
    path.write_bytes(b"rubbish")
    with pytest.raises(weights.WeightsError, match="cannot be read as weights"):
        load_weights(LiteSiamFc(8), path)


def test_a_damaged_packaged_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = LiteSiamFc(8)
    path = tmp_path / "shipped.safetensors"
    safetensors_torch.save_file(network.state_dict(), path)
    manifest = tmp_path / "manifest.json"
    manifest.write_text(json.dumps({"siamfc-lite": {"file": path.name, "sha256": "0" * 64}}))
    monkeypatch.setattr(weights, "MANIFEST", manifest)
    monkeypatch.setattr("visual_tracker.models.loading.FOLDER", tmp_path)
    with pytest.raises(weights.WeightsError, match="is damaged"):
        load_weights(network, path)


@pytest.mark.parametrize("name", weights.packaged_names())
def test_packaged_weights_fit_their_network(name: str) -> None:
    kind, network_name = name.split("-", 1)
    path = weights.packaged_weights(kind, network_name)
    assert path is not None
    weights.check_packaged(path)
    load_weights(create_network(kind, network_name), path)


def test_every_shipped_file_is_in_the_manifest() -> None:
    listed = {weights.packaged_weights(*name.split("-", 1)) for name in weights.packaged_names()}
    assert {path for path in weights.FOLDER.glob("*.safetensors")} == listed


def test_lite_weights_need_their_own_kind(tmp_path: Path) -> None:
    path = tmp_path / "fc.safetensors"
    safetensors_torch.save_file(LiteSiamFc(192).state_dict(), path)
    with pytest.raises(weights.WeightsError, match="lacks neck"):
        load_weights(LiteSiamRpn(), path)
