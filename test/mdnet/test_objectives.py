"""The losses as the trainer sees them."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional  # noqa: E402

from test.mdnet.small import SmallFeatures  # noqa: E402
from visual_tracker.mdnet.attention import attention_maps, regularization  # noqa: E402
from visual_tracker.mdnet.masks import MaskGenerator, cost_sensitive_loss  # noqa: E402
from visual_tracker.mdnet.objectives import (  # noqa: E402
    Adversarial,
    CrossEntropy,
    Reciprocative,
)
from visual_tracker.models.mdnet import Classifier, MdNet  # noqa: E402
from visual_tracker.online.bank import Samples  # noqa: E402


@pytest.fixture
def classifier() -> Classifier:
    torch.manual_seed(0)
    made = MdNet(SmallFeatures()).classifier(0)
    torch.nn.init.normal_(made.fc6[0].weight)
    return made


def batch() -> tuple[Samples, Samples]:
    generator = torch.Generator().manual_seed(1)
    positives = torch.randn(4, 12, 3, 3, generator=generator)
    negatives = torch.randn(6, 12, 3, 3, generator=generator)
    ones, zeros = torch.ones(4, dtype=torch.int64), torch.zeros(6, dtype=torch.int64)
    return Samples(positives, ones), Samples(negatives, zeros)


def test_cross_entropy_and_the_negatives_margins(classifier: Classifier) -> None:
    positives, negatives = batch()
    loss, margins = CrossEntropy(classifier).loss(positives, negatives)
    logits = classifier(torch.cat([positives.features, negatives.features]))
    labels = torch.tensor([1] * 4 + [0] * 6)
    torch.testing.assert_close(loss, functional.cross_entropy(logits, labels))
    torch.testing.assert_close(margins, classifier.margin(negatives.features))


def test_attention_adds_the_mean_of_r(classifier: Classifier) -> None:
    positives, negatives = batch()
    plain, margins = CrossEntropy(classifier).loss(positives, negatives)
    none, its_margins = Reciprocative(classifier, 0.0).loss(positives, negatives)
    torch.testing.assert_close(none, plain)
    torch.testing.assert_close(its_margins, margins)
    features = torch.cat([positives.features, negatives.features]).requires_grad_(True)
    logits = classifier(features)
    maps = [attention_maps(logits[:, column], features) for column in (1, 0)]
    terms = regularization(*maps, torch.tensor([True] * 4 + [False] * 6))
    full, _ = Reciprocative(classifier, 5.0).loss(positives, negatives)
    torch.testing.assert_close(full, plain + 5 * terms.mean())
    full.backward()
    assert classifier.fc4.weight.grad is not None
    assert positives.features.grad is None


def test_masks_hide_a_cell_of_the_positives_once_the_generator_is_warm(
    classifier: Classifier,
) -> None:
    positives, negatives = batch()
    generator = MaskGenerator(12, 3)
    adversarial = Adversarial(classifier, generator, rate=0.0)
    labels = torch.tensor([1] * 4 + [0] * 6)

    def expected(shown: torch.Tensor) -> torch.Tensor:
        return cost_sensitive_loss(classifier(torch.cat([shown, negatives.features])), labels)

    cold, _ = adversarial.loss(positives, negatives)
    torch.testing.assert_close(cold, expected(positives.features))
    adversarial.warm_up(positives.features, 2, 3, torch.Generator())
    warm, margins = adversarial.loss(positives, negatives)
    masked = positives.features * generator.mask(positives.features)
    torch.testing.assert_close(warm, expected(masked))
    torch.testing.assert_close(margins, classifier.margin(negatives.features))
    assert not torch.allclose(warm, cold)


def test_the_generator_finds_what_the_classifier_leans_on(classifier: Classifier) -> None:
    torch.manual_seed(0)
    positives = torch.randn(24, 12, 3, 3)
    generator = MaskGenerator(12, 3, seed=1)
    adversarial = Adversarial(classifier, generator, rate=0.05)
    goal = generator.worst_mask(positives, classifier.margin)
    before = functional.mse_loss(generator(positives), goal)
    adversarial.warm_up(positives, 60, 12, torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert functional.mse_loss(generator(positives), goal) < 0.6 * before


def test_the_worst_mask_is_found_without_drop_out(
    classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each mask would be tried with other units dropped, and the worst be that of bad luck."""
    positives, negatives = batch()
    generator = MaskGenerator(12, 3)
    adversarial = Adversarial(classifier, generator, rate=0.05)
    adversarial.warm_up(positives.features, 1, 4, torch.Generator())
    goals = []
    worst_mask = MaskGenerator.worst_mask

    def watched(self: MaskGenerator, *arguments: object) -> torch.Tensor:
        goals.append(worst_mask(self, *arguments))
        return goals[-1]

    monkeypatch.setattr(MaskGenerator, "worst_mask", watched)
    classifier.eval()
    expected = worst_mask(generator, positives.features, classifier.margin)
    classifier.train()  # as while it learns
    for _ in range(5):
        adversarial.loss(positives, negatives)
        assert classifier.training
    assert len(goals) == 5
    for goal in goals:
        assert torch.equal(goal, expected)
