"""Packed searches give what the eager matcher gives: on the CPU always, in a CUDA graph if any."""

from __future__ import annotations

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from visual_tracker.models import cuda_matchers  # noqa: E402
from visual_tracker.models.cuda_matchers import PackedProposalMatcher  # noqa: E402
from visual_tracker.models.lite_siamrpn import LiteSiamRpn  # noqa: E402
from visual_tracker.models.torch_matchers import TorchProposalMatcher, folded  # noqa: E402

DEVICES = [
    "cpu",
    pytest.param(
        "cuda",
        marks=[
            pytest.mark.gpu,
            pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
        ],
    ),
]


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return folded(LiteSiamRpn(16).eval()).to(memory_format=torch.channels_last)


def crop(seed: int, *size: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-3), ("bf16", 0.05)])
def test_packed_answers_are_the_eager_ones(
    network: torch.nn.Module, device: str, precision: str, tolerance: float
) -> None:
    eager = TorchProposalMatcher(copy.deepcopy(network), "cpu")
    packed = PackedProposalMatcher(copy.deepcopy(network), device, precision)
    # two targets take turns, over two sizes of crop
    calls = [(seed, size) for size in ((257, 257), (273, 305)) for seed in (1, 2, 1)]
    ours, expected = (
        {seed: matcher.learn(crop(seed, 129, 129)) for seed in (1, 2)}
        for matcher in (packed, eager)
    )
    np.testing.assert_allclose(
        packed.embedding(ours[1]), eager.embedding(expected[1]), atol=tolerance
    )
    answers = [packed.respond(ours[seed], crop(seed, *size)) for seed, size in calls]
    for (seed, size), answer in zip(calls, answers, strict=True):
        reference = eager.respond(expected[seed], crop(seed, *size))
        for name in answer._fields:
            found, wanted = getattr(answer, name), getattr(reference, name)
            assert found.shape == wanted.shape
            assert np.abs(found - wanted).max() <= tolerance * np.abs(wanted).max()
    np.testing.assert_array_equal(answers[0].scores, answers[2].scores)
    assert not np.array_equal(answers[0].scores, answers[1].scores)


def test_few_sizes_are_kept(network: torch.nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_matchers, "_GRAPHS", 2)
    matcher = PackedProposalMatcher(copy.deepcopy(network), "cpu", "fp32")
    template = matcher.learn(crop(0, 129, 129))
    for side in (129, 145, 129, 161):
        matcher.respond(template, crop(1, side, side))
    assert list(matcher._searches) == [(129, 129), (161, 161)]
