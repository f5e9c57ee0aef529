"""The networks: shapes, names, parameters, geometry and correlation."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from visual_tracker.models.alexnet import AlexNetSiamRpn  # noqa: E402
from visual_tracker.models.correlation import (  # noqa: E402
    DepthwiseConv2d,
    depthwise_correlation,
    full_correlation,
)
from visual_tracker.models.efficientnet_lite import (  # noqa: E402
    BATCH_NORM_EPSILON,
    EfficientNetLite0,
    PretrainedError,
    fold,
    imagenet_names,
)
from visual_tracker.models.lite_siamrpn import LiteSiamRpn  # noqa: E402
from visual_tracker.models.networks import create_network  # noqa: E402
from visual_tracker.models.torch_matchers import folded  # noqa: E402
from visual_tracker.parameters import ParameterError  # noqa: E402

# Written down from the published description, apart from the code under test:
# number in the Sequential -> weight shape of the plain width.
RELEASED_CONVOLUTIONS = {
    0: (96, 3, 11, 11),
    4: (256, 96, 5, 5),
    8: (384, 256, 3, 3),
    11: (384, 384, 3, 3),
    14: (256, 384, 3, 3),
}
RELEASED_NORMS = {1: 96, 5: 256, 9: 384, 12: 384, 15: 256}
RELEASED_HEADS = {
    "conv_r1": (256 * 20, 256, 3, 3),
    "conv_r2": (256, 256, 3, 3),
    "conv_cls1": (256 * 10, 256, 3, 3),
    "conv_cls2": (256, 256, 3, 3),
    "regress_adjust": (20, 20, 1, 1),
}


def released_shapes(scale: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for number, (outputs, inputs, *kernel) in RELEASED_CONVOLUTIONS.items():
        inputs = inputs if inputs == 3 else inputs * scale
        shapes[f"featureExtract.{number}.weight"] = (outputs * scale, inputs, *kernel)
        shapes[f"featureExtract.{number}.bias"] = (outputs * scale,)
    for number, width in RELEASED_NORMS.items():
        for name in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"featureExtract.{number}.{name}"] = (width * scale,)
    for name, (outputs, inputs, *kernel) in RELEASED_HEADS.items():
        factor = 1 if name == "regress_adjust" else scale
        shapes[f"{name}.weight"] = (outputs * factor, inputs * factor, *kernel)
        shapes[f"{name}.bias"] = (outputs * factor,)
    return shapes


@pytest.mark.parametrize(("name", "scale"), [("vot", 1), ("otb", 1), ("big", 2)])
def test_alexnet_has_the_released_names_and_shapes(name: str, scale: int) -> None:
    with torch.device("meta"):
        network = create_network("siamrpn", f"alexnet-{name}")
    shapes = {
        key: tuple(value.shape)
        for key, value in network.state_dict().items()
        if not key.endswith("num_batches_tracked")
    }
    assert shapes == released_shapes(scale)


def test_alexnet_maps_have_the_papers_sizes() -> None:
    network = AlexNetSiamRpn().eval()
    with torch.inference_mode():
        template = network.learn(torch.zeros(1, 3, 127, 127))
        assert template.embedding.shape == (1, 256, 6, 6)
        assert template.classification.shape == (1, 2560, 4, 4)
        proposals = network.propose(template, torch.zeros(1, 3, 271, 271))
    assert proposals.embedding.shape == (1, 256, 24, 24)
    assert proposals.logits.shape == (1, 2, 5, 19, 19)
    assert proposals.deltas.shape == (1, 4, 5, 19, 19)


def test_pooling_comes_before_relu_as_released() -> None:
    layers = [type(layer).__name__ for layer in AlexNetSiamRpn().featureExtract[:4]]
    assert layers == ["Conv2d", "BatchNorm2d", "MaxPool2d", "ReLU"]


def test_lite_is_small_and_its_maps_have_the_geometrys_sizes() -> None:
    network = LiteSiamRpn().eval()
    assert sum(value.numel() for value in network.parameters()) <= 3_000_000
    with torch.inference_mode():
        template = network.learn(torch.zeros(1, 3, 129, 129))
        for width, height in ((257, 257), (321, 273)):
            proposals = network.propose(template, torch.zeros(1, 3, height, width))
            rows, columns = (network.geometry.response_size(side) for side in (height, width))
            assert proposals.logits.shape == (1, 2, 1, rows, columns)
            assert proposals.deltas.shape == (1, 4, 1, rows, columns)
            windows = np.subtract(proposals.embedding.shape[2:], template.embedding.shape[2:]) + 1
            assert windows.tolist() == [rows, columns]


def test_a_batch_is_its_pairs_one_by_one() -> None:
    network = LiteSiamRpn(16).eval()
    generator = torch.Generator().manual_seed(0)
    templates = 255 * torch.rand(2, 3, 129, 129, generator=generator)
    searches = 255 * torch.rand(2, 3, 257, 257, generator=generator)
    with torch.inference_mode():
        together = network(templates, searches)
        for index in range(2):
            alone = network(templates[index : index + 1], searches[index : index + 1])
            for both, one in zip(
                (*together[:4], *together.maps), (*alone[:4], *alone.maps), strict=True
            ):
                assert torch.allclose(both[index], one[0], atol=1e-4)


def test_the_answer_is_what_the_heads_make_of_the_last_maps() -> None:
    network = LiteSiamRpn(16).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.inference_mode():
        template = network.kernels(torch.randn(1, 16, 9, 9, generator=generator))
        features = torch.randn(1, 16, 17, 21, generator=generator)
        proposals, maps = network.explained_answer(template, features)
        scored, boxed = maps[: len(maps) // 2], maps[len(maps) // 2 :]
        logits = network.classification.head(scored[-1])
        assert torch.equal(proposals.logits[:, :, 0], logits)
        left, top, right, bottom = network.regression.head(boxed[-1])[0, :, 4, 7].exp().tolist()
        assert torch.equal(
            network.regression(template.regression, features), network.regression.head(boxed[-1])
        )
    # in halves of the anchor of 64 pixels, from the cell's centre
    shift_x, shift_y, growth_x, growth_y = proposals.deltas[0, :, 0, 4, 7].tolist()
    assert 64 * shift_x == pytest.approx((32 * right - 32 * left) / 2, rel=1e-4)
    assert 64 * shift_y == pytest.approx((32 * bottom - 32 * top) / 2, rel=1e-4)
    assert 64 * np.exp(growth_x) == pytest.approx(32 * left + 32 * right, rel=1e-4)
    assert 64 * np.exp(growth_y) == pytest.approx(32 * top + 32 * bottom, rel=1e-4)


def test_a_target_that_moves_by_a_cell_moves_its_answer_by_a_cell() -> None:
    branch = LiteSiamRpn(16).eval().classification
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(1, 16, 40, 40, generator=generator)
    with torch.inference_mode():
        kernel = branch.kernels(torch.randn(1, 16, 9, 9, generator=generator))
        here, moved = branch(kernel, features), branch(kernel, features.roll((1, 2), (2, 3)))
    inner = 12  # beyond the reach of tower and border
    assert torch.allclose(
        moved[:, :, inner + 1 : -inner, inner + 2 : -inner],
        here[:, :, inner : -inner - 1, inner : -inner - 2],
        atol=1e-5,
    )


@pytest.mark.parametrize("batch", [1, 3])
def test_depthwise_correlation_by_loops(batch: int) -> None:
    generator = torch.Generator().manual_seed(1)
    search = torch.randn(batch, 2, 6, 7, generator=generator)
    kernel = torch.randn(batch, 2, 3, 3, generator=generator)
    result = depthwise_correlation(search, kernel)
    for b, c, i, j in np.ndindex(batch, 2, 4, 5):
        expected = (search[b, c, i : i + 3, j : j + 3] * kernel[b, c]).sum()
        assert result[b, c, i, j] == pytest.approx(float(expected), abs=1e-5)


@pytest.mark.parametrize("needs", [(True, True), (True, False), (False, True)])
def test_gradients_of_the_depthwise_correlation_are_numerically_right(
    needs: tuple[bool, bool],
) -> None:
    generator = torch.Generator().manual_seed(0)
    search, kernel = (
        torch.randn(shape, generator=generator, dtype=torch.float64, requires_grad=need)
        for shape, need in zip(((2, 3, 6, 5), (2, 3, 3, 2)), needs, strict=True)
    )
    assert torch.autograd.gradcheck(depthwise_correlation, (search, kernel))


@pytest.mark.parametrize(
    ("kernel", "stride", "bias"), [(3, 1, True), (5, 1, False), (3, 2, True), (5, 2, False)]
)
def test_a_depthwise_convolution_is_pytorchs_and_so_are_its_gradients(
    kernel: int, stride: int, bias: bool
) -> None:
    generator = torch.Generator().manual_seed(0)
    ours = DepthwiseConv2d(4, kernel, stride, bias).double()
    plain = torch.nn.Conv2d(4, 4, kernel, stride, kernel // 2, groups=4, bias=bias).double()
    plain.load_state_dict(ours.state_dict())
    images = torch.randn(2, 4, 9, 7, generator=generator, dtype=torch.float64)
    first, second = images.clone().requires_grad_(), images.clone().requires_grad_()
    weights = torch.randn(plain(second).shape, generator=generator, dtype=torch.float64)
    (ours(first) * weights).sum().backward()
    (plain(second) * weights).sum().backward()
    assert torch.allclose(ours(first), plain(second))
    assert torch.allclose(first.grad, second.grad)
    for mine, theirs in zip(ours.parameters(), plain.parameters(), strict=True):
        assert torch.allclose(mine.grad, theirs.grad)


@pytest.mark.parametrize("batch", [1, 3])
def test_full_correlation_by_loops(batch: int) -> None:
    generator = torch.Generator().manual_seed(2)
    search = torch.randn(batch, 2, 6, 5, generator=generator)
    kernel = torch.randn(batch, 4 * 2, 3, 3, generator=generator)
    result = full_correlation(search, kernel, outputs=4)
    assert result.shape == (batch, 4, 4, 3)
    for b, o, i, j in np.ndindex(*result.shape):
        window = search[b, :, i : i + 3, j : j + 3]
        expected = (window * kernel[b, 2 * o : 2 * o + 2]).sum()
        assert result[b, o, i, j] == pytest.approx(float(expected), abs=1e-4)


def published_state() -> dict[str, torch.Tensor]:
    """Random weights of the published names and of our shapes."""
    generator = torch.Generator().manual_seed(3)
    modules = dict(EfficientNetLite0().named_modules())
    state = {}
    for own, convolution, norm in imagenet_names():
        weight = modules[own].weight
        state[f"{convolution}.weight"] = torch.randn(weight.shape, generator=generator) * 0.1
        for name in ("weight", "bias", "running_mean"):
            state[f"{norm}.{name}"] = torch.randn(len(weight), generator=generator)
        state[f"{norm}.running_var"] = torch.rand(len(weight), generator=generator) + 0.5
    return state


def test_a_folded_norm_is_the_norm() -> None:
    state = published_state()
    weight, bias = fold(state, "_conv_stem", "_bn0")
    convolution = torch.nn.Conv2d(3, 32, 3, bias=False)
    convolution.weight.data = state["_conv_stem.weight"]
    norm = torch.nn.BatchNorm2d(32, eps=BATCH_NORM_EPSILON).eval()
    norm.load_state_dict({key[5:]: state[key] for key in state if key.startswith("_bn0.")}, False)
    image = torch.randn(1, 3, 9, 9)
    expected = norm(convolution(image))
    assert torch.allclose(torch.conv2d(image, weight, bias), expected, atol=1e-4)


def test_imagenet_weights_fill_the_whole_trunk() -> None:
    trunk = EfficientNetLite0()
    before = {name: value.clone() for name, value in trunk.state_dict().items()}
    trunk.load_imagenet(published_state())
    unchanged = [name for name, value in trunk.state_dict().items() if value.equal(before[name])]
    assert unchanged == []


def test_imagenet_weights_of_another_network_are_refused() -> None:
    state = published_state()
    del state["_blocks.3._depthwise_conv.weight"]
    with pytest.raises(PretrainedError, match=r"_blocks\.3\._depthwise_conv"):
        EfficientNetLite0().load_imagenet(state)


def test_the_trunks_grid_is_centred_on_the_crop() -> None:
    # With symmetric kernels, mirroring the crop must mirror the maps.
    trunk = EfficientNetLite0().eval()
    for module in trunk.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.weight.data = (module.weight.data + module.weight.data.flip(3)) / 2
    image = 255 * torch.rand(1, 3, 129, 129)
    with torch.inference_mode():
        for plain, mirrored in zip(trunk(image), trunk(image.flip(3)), strict=True):
            assert torch.allclose(plain, mirrored.flip(3), atol=1e-4)


def test_folding_a_network_changes_nothing() -> None:
    network = LiteSiamRpn(16)
    generator = torch.Generator().manual_seed(4)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
    network.eval()
    images = [255 * torch.rand(1, 3, size, size, generator=generator) for size in (129, 257)]
    with torch.inference_mode():
        plainly, folded_up = network(*images), folded(network)(*images)
        for plain, fast in zip(plainly[:4], folded_up[:4], strict=True):
            assert torch.allclose(plain, fast, atol=1e-3, rtol=1e-3)


def test_an_unknown_network_is_named_with_the_known_ones() -> None:
    with pytest.raises(ParameterError, match="no siamfc network 'vgg'; known: lite"):
        create_network("siamfc", "vgg")
