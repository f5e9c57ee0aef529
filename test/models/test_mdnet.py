"""MDNet's networks: geometry of the two extractors, the classifier, the released files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from visual_tracker.models.mdnet import (  # noqa: E402
    LiteFeatures,
    MdNet,
    SeededDropout,
    VggMFeatures,
)
from visual_tracker.models.mdnet_release import load_mdnet  # noqa: E402
from visual_tracker.models.weights import WeightsError  # noqa: E402


@pytest.fixture(scope="module")
def vgg() -> MdNet:
    torch.manual_seed(0)
    return MdNet.vgg_m().eval()


def noise(size: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(1, 3, size, size, generator=generator) * 255


@torch.no_grad()
def test_a_crop_of_vgg_m_gives_the_papers_own_map(vgg: MdNet) -> None:
    image = noise(107)
    features = vgg.features
    (its_map,) = features.maps(image)
    assert its_map.shape == (1, 512, 3, 3)
    torch.testing.assert_close(features.crops(image), its_map)


@torch.no_grad()
def test_roi_align_of_vgg_m_reads_in_a_region_what_a_crop_shows(vgg: MdNet) -> None:
    region = noise(171, seed=1)
    # whole cells away from the corner, the crop's cells are cells of the region
    crop = region[:, :, 32:139, 16:123]
    box = torch.tensor([[16.0 + 16, 32.0 + 16, 75.0, 75.0]])
    maps = tuple(one[0] for one in vgg.features.maps(region))
    torch.testing.assert_close(
        vgg.features.pool(maps, box), vgg.features.crops(crop), rtol=1e-3, atol=1e-4
    )


@pytest.mark.parametrize("kind", [LiteFeatures, VggMFeatures])
@torch.no_grad()
def test_features_follow_their_box(kind: type) -> None:
    """A target moved by whole cells has the features it had."""
    torch.manual_seed(0)
    features = kind().eval()
    for parameter in features.parameters():  # torch's own start lets the signal die away
        if parameter.ndim == 4:
            torch.nn.init.kaiming_normal_(parameter, nonlinearity="relu")
    step = 32
    canvas = torch.full((1, 3, features.region_size, features.region_size), 90.0)
    patch = noise(40, seed=2)[0]
    first, second = canvas.clone(), canvas.clone()
    first[0, :, 96:136, 96:136] = patch
    second[0, :, 96 + step : 136 + step, 96:136] = patch
    boxes = torch.tensor([[80.0, 80.0, 72.0, 72.0], [80.0, 80.0 + step, 72.0, 72.0]])
    of_first = features.pool(tuple(one[0] for one in features.maps(first)), boxes)
    of_second = features.pool(tuple(one[0] for one in features.maps(second)), boxes)
    assert of_first.shape == (2, features.channels, 3, 3)
    difference = (of_second[1] - of_first[0]).norm()
    # the map's border, which the trunk's wide fields of view reach, has moved all the same
    assert difference < 0.3 * (of_second[0] - of_first[0]).norm()


@torch.no_grad()
def test_lite_standardises_its_channels() -> None:
    features = LiteFeatures().eval()
    plain = features.crops(noise(97))
    features.mean.fill_(0.5)
    features.deviation.fill_(2.0)
    torch.testing.assert_close(features.crops(noise(97)), (plain - 0.5) / 2)


def test_a_new_classifier_leaves_the_shared_layers_alone(vgg: MdNet) -> None:
    before = vgg.fc5.weight.clone()
    classifier = vgg.classifier(seed=3)
    features = torch.randn(4, 512, 3, 3)
    classifier(features).sum().backward()
    with torch.no_grad():
        for parameters, _ in classifier.groups:
            for parameter in parameters:
                parameter -= 0.1 * parameter.grad
    assert torch.equal(vgg.fc5.weight, before)
    again = vgg.classifier(seed=3)
    assert not torch.equal(again.fc5.weight, classifier.fc5.weight)
    assert torch.equal(again.fc6[0].weight, vgg.classifier(seed=3).fc6[0].weight)
    logits = again(features)
    torch.testing.assert_close(again.margin(features), logits[:, 1] - logits[:, 0])


def test_fc6_learns_ten_times_as_fast(vgg: MdNet) -> None:
    (shared, one), (last, ten) = vgg.classifier(0).groups
    assert (len(shared), one, len(last), ten) == (4, 1.0, 2, 10.0)


def test_drop_out_has_a_seed_of_its_own() -> None:
    layer, same = SeededDropout(5), SeededDropout(5)
    x = torch.ones(200, 50)
    torch.manual_seed(0)
    dropped = layer(x)
    torch.manual_seed(1)
    assert torch.equal(dropped, same(x))
    assert not torch.equal(dropped, same(x))
    assert set(dropped.unique().tolist()) == {0.0, 2.0}
    assert 0.45 < (dropped == 0).float().mean() < 0.55
    assert torch.equal(layer.eval()(x), x)


def released(vgg: MdNet) -> dict[str, dict[str, torch.Tensor]]:
    """The layers as py-MDNet saves them."""
    places = {"conv1": 0, "conv2": 0, "conv3": 0, "fc4": 0, "fc5": 1}
    state = {}
    for name, value in vgg.state_dict().items():
        layer, kind = name.removeprefix("features.").split(".")
        state[f"{layer}.{places[layer]}.{kind}"] = value
    return {"shared_layers": state}


def test_the_released_layers_load(vgg: MdNet, tmp_path: Path) -> None:
    path = tmp_path / "mdnet_vot-otb.pth"
    torch.save(released(vgg), path)
    torch.manual_seed(9)
    network = MdNet.vgg_m()
    load_mdnet(network, path)
    for name, value in vgg.state_dict().items():
        assert torch.equal(network.state_dict()[name], value)


def test_the_matconvnet_file_loads_its_convolutions(vgg: MdNet, tmp_path: Path) -> None:
    scipy_io = pytest.importorskip("scipy.io")
    layers = np.empty((1, 9), dtype=object)
    for number in range(9):
        layers[0, number] = {"type": "relu"}
    for number, layer in enumerate((vgg.features.conv1, vgg.features.conv2, vgg.features.conv3)):
        weights = np.empty((1, 2), dtype=object)
        weights[0, 0] = layer.weight.detach().numpy().transpose(2, 3, 1, 0)
        weights[0, 1] = layer.bias.detach().numpy()[:, None]
        layers[0, number * 4] = {"type": "conv", "weights": weights}
    path = tmp_path / "imagenet-vgg-m.mat"
    scipy_io.savemat(path, {"layers": layers})
    network = MdNet.vgg_m()
    kept = network.fc4.weight.clone()
    load_mdnet(network, path)
    assert torch.equal(network.features.conv2.weight, vgg.features.conv2.weight)
    assert torch.equal(network.features.conv3.bias, vgg.features.conv3.bias)
    assert torch.equal(network.fc4.weight, kept)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.pth", b"rubbish", "cannot be read as weights"),
        ("x.mat", b"rubbish", "cannot be read as imagenet-vgg-m.mat"),
        ("gone.mat", None, "is no file"),
        ("gone.pth", None, "is no file"),
    ],
)
def test_what_cannot_be_read_is_refused(
    vgg: MdNet, tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    if name.endswith(".mat"):
        pytest.importorskip("scipy")
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(WeightsError, match=message):
        load_mdnet(vgg, path)


def test_the_release_does_not_fit_lite(vgg: MdNet, tmp_path: Path) -> None:
    path = tmp_path / "mdnet_vot-otb.pth"
    torch.save(released(vgg), path)
    with pytest.raises(WeightsError, match="does not fit this network"):
        load_mdnet(MdNet.lite(), path)
