"""Distractor-aware matching with one template that is learned from frame to frame.

Zhu et al., "Distractor-aware Siamese Networks for Visual Object Tracking", ECCV 2018, section 3.3.
With f the inner product of embeddings phi, the target among the proposals p_k is

    argmax_k  f(z, p_k) - a^ sum_i a_i f(d_i, p_k) / sum_i a_i

for distractors d_i with weights a_i = 1. As f is linear, one combined template does it, and over
frames T = 1, 2, ... it is the running mean with weights beta_t

    sum_t beta_t phi(z_t) / sum_t beta_t - a^ sum_t beta_t sum_i phi(d_i,t) / sum_t beta_t n_t

where n_t is the number of distractors of frame t and beta_t = sum_{i < t} (eta / (1 - eta))^i.

Ours where the paper is silent: embeddings are scaled to unit length, so that f is a cosine, and a
frame without distractors adds none.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating]

#: the paper's learning rate eta, which shapes the weights of the frames
LEARNING_RATE = 0.01


def unit(embedding: FloatArray) -> FloatArray:
    """An embedding as a vector of length 1 (zero stays zero)."""
    vector = np.asarray(embedding, dtype=np.float64).ravel()
    return vector / max(float(np.linalg.norm(vector)), 1e-12)


class CombinedTemplate:
    """Target minus distractors, learned incrementally.

    Args:
        target: phi(z_1) of the first frame, (C, h, w).
        learning_rate: eta.
    """

    def __init__(self, target: FloatArray, learning_rate: float = LEARNING_RATE) -> None:
        self.shape = target.shape
        self._ratio = learning_rate / (1 - learning_rate)
        self._power = 1.0  # (eta / (1 - eta))^(t - 1)
        self._beta = 1.0  # beta_t
        self._targets = unit(target)
        self._target_weight = 1.0
        self._distractors = np.zeros_like(self._targets)
        self._distractor_weight = 0.0

    def learn(self, target: FloatArray, distractors: list[FloatArray]) -> None:
        """Add a frame: phi of the target found and of the distractors beside it."""
        self._power *= self._ratio
        self._beta += self._power
        self._targets += self._beta * unit(target)
        self._target_weight += self._beta
        for distractor in distractors:
            self._distractors += self._beta * unit(distractor)
            self._distractor_weight += self._beta

    def vector(self, strength: float) -> FloatArray:
        """The combined template, (C h w,).

        Args:
            strength: a^.
        """
        combined = self._targets / self._target_weight
        if self._distractor_weight:
            combined = combined - strength * self._distractors / self._distractor_weight
        return combined

    def similarity(self, embeddings: list[FloatArray], strength: float) -> FloatArray:
        """The combined template's f with each embedding, (K,)."""
        rows = np.stack(embeddings, dtype=np.float64, casting="same_kind")
        rows = rows.reshape(len(embeddings), -1)
        lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))
        return rows @ self.vector(strength) / np.maximum(lengths, 1e-12)


def window_of(embedding: FloatArray, cell: tuple[int, int], shape: tuple[int, ...]) -> FloatArray:
    """The window of a cell in phi(x): (C, h, w) of a template's shape.

    Args:
        embedding: phi(x), (C, H, W).
        cell: row and column in the response map.
        shape: (C, h, w) of the template's embedding.
    """
    row, column = cell
    return embedding[:, row : row + shape[1], column : column + shape[2]]
