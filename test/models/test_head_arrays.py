"""The learned layers in NumPy answer as in torch, also after they have learned."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from visual_tracker.adnet.history import empty_histories, remember  # noqa: E402
from visual_tracker.models.adnet import LiteAdnet, PolicyHead  # noqa: E402
from visual_tracker.models.head_arrays import ClassifierArrays, PolicyArrays  # noqa: E402
from visual_tracker.models.mdnet import MdNet  # noqa: E402
from visual_tracker.models.policy_regions import head_outputs  # noqa: E402


def histories() -> np.ndarray:
    """None yet, some, and as many as are remembered."""
    some = empty_histories(1)
    rows = [some]
    for actions in (3, 12):
        for action in range(actions):
            some = remember(some, np.array([action % 11]))
        rows.append(some)
    return np.concatenate(rows)


def test_a_policy_in_numpy_is_the_policy() -> None:
    torch.manual_seed(0)
    head = PolicyHead(30, width=16).eval()
    features = torch.randn(3, 30)
    expected = head_outputs(head, features, histories())
    arrays = PolicyArrays(head)
    for index, history in enumerate(histories()):
        found = arrays(features[index].numpy(), history)
        np.testing.assert_allclose(found.probabilities[0], expected.probabilities[index], atol=1e-6)
        np.testing.assert_allclose(found.confidences[0], expected.confidences[index], atol=1e-6)


def test_a_classifier_in_numpy_follows_what_is_learned() -> None:
    torch.manual_seed(0)
    classifier = MdNet.lite().classifier(0)
    features = torch.randn(4, 152, 3, 3)
    arrays = ClassifierArrays(classifier)
    optimizer = torch.optim.SGD(classifier.parameters(), lr=0.05)
    classifier.margin(features).square().sum().backward()
    before = arrays.margin(features[0].numpy())
    optimizer.step()
    with torch.no_grad():
        expected = classifier.margin(features).numpy()
    found = [arrays.margin(one.numpy()) for one in features]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert abs(found[0] - before) > 1e-4


def test_a_box_alone_has_the_features_that_it_has_among_others() -> None:
    torch.manual_seed(0)
    policy, network = LiteAdnet().eval(), MdNet.lite().eval()
    network.features.mean.uniform_()
    network.features.deviation.uniform_(0.5, 1.0)
    boxes = np.array([[30.0, 40, 50, 60], [-20, 10, 200, 90]])
    rows = torch.from_numpy(boxes).float()
    with torch.no_grad():
        encoded, maps = policy.look(torch.rand(1, 3, 129, 145) * 255)
        maps = tuple(one[0] for one in maps)
        described = policy.describe(encoded[0], rows)
        pooled = network.features.pool(maps, rows)
    for index, box in enumerate(boxes):
        one = policy.describe_one(encoded[0], box)
        np.testing.assert_allclose(one, described[index].numpy(), atol=1e-3, rtol=1e-4)
        one = network.features.pool_one(maps, box)
        np.testing.assert_allclose(one, pooled[index].numpy(), atol=1e-3, rtol=1e-4)
