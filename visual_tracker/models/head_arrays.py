"""The fully connected layers that learn on line, asked about one box, in NumPy.

Here the layers are views of torch's own weights: what these learn, the views have. For one box on
the CPU torch's calls cost more than the products, which weights too large for the inner caches
bound.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from visual_tracker.adnet.actions import ACTIONS, IntArray
from visual_tracker.adnet.episode import Outputs
from visual_tracker.adnet.history import LENGTH
from visual_tracker.models.adnet import PolicyHead
from visual_tracker.models.mdnet import Classifier
from visual_tracker.timing import NETWORK, timed

FloatArray = NDArray[np.float32]

#: where the codes of each remembered action begin (`visual_tracker.adnet.history`)
_FIRST_CODES = np.arange(LENGTH) * ACTIONS


class _Layer:
    """A fully connected layer."""

    def __init__(self, layer: nn.Module) -> None:
        assert isinstance(layer, nn.Linear)
        self._weight, self._bias = _view(layer.weight), _view(layer.bias)

    def __call__(self, values: FloatArray) -> FloatArray:
        answer: FloatArray = self._weight @ values
        answer += self._bias
        return answer

    def rectified(self, values: FloatArray) -> FloatArray:
        answer = self(values)
        return np.maximum(answer, 0, out=answer)


class PolicyArrays:
    """A policy's head.

    Args:
        head: in eval mode, on the CPU.
    """

    def __init__(self, head: PolicyHead) -> None:
        self._hidden = _Layer(head.fc4), _Layer(head.fc5)
        width = head.fc5.out_features
        last = head.action, head.confidence
        self._of_hidden = [_view(layer.weight)[:, :width] for layer in last]
        self._of_history = [_view(layer.weight)[:, width:] for layer in last]
        self._bias = [_view(layer.bias) for layer in last]

    @timed(NETWORK)
    def __call__(self, features: FloatArray, history: IntArray) -> Outputs:
        """Probabilities, as of one box.

        Args:
            features: (F,).
            history: (10,).
        """
        for layer in self._hidden:
            features = layer.rectified(features)
        codes = (_FIRST_CODES + history)[history >= 0]
        actions, classes = (
            of_hidden @ features + of_history[:, codes].sum(axis=1) + bias
            for of_hidden, of_history, bias in zip(
                self._of_hidden, self._of_history, self._bias, strict=True
            )
        )
        return Outputs(_softmax(actions)[None], _softmax(classes)[1:])


class ClassifierArrays:
    """MDNet's classifier of one target.

    Args:
        classifier: on the CPU.
    """

    def __init__(self, classifier: Classifier) -> None:
        self._hidden = _Layer(classifier.fc4), _Layer(classifier.fc5)
        self._last = _Layer(classifier.fc6[0])

    @timed(NETWORK)
    def margin(self, features: FloatArray) -> float:
        """Target's logit minus the background's, of a box's features (C, P, P)."""
        values = features.ravel()
        for layer in self._hidden:
            values = layer.rectified(values)
        background, target = self._last(values).tolist()
        return float(target - background)


def _view(parameter: Tensor) -> FloatArray:
    array: FloatArray = parameter.detach().numpy()
    return array


def _softmax(logits: FloatArray) -> NDArray[np.float64]:
    powers = np.exp(logits.astype(float) - logits.max())
    return np.asarray(powers / powers.sum())
