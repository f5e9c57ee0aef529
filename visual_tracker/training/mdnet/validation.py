"""How well new targets are told apart: learned from one frame, tested on the others."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from visual_tracker.mdnet.objectives import CrossEntropy
from visual_tracker.models.mdnet import MdNet
from visual_tracker.online.trainer import OnlineSettings, OnlineTrainer
from visual_tracker.training.mdnet.domains import Domain, DomainSampler
from visual_tracker.training.mdnet.recipe import MdNetRecipe

#: steps and rate of the learning from the first frame: those of the tracker
_STEPS, _RATE = 50, 5e-4

_FIRST = (96, 512)
_LATER = (256, 1024)


def validate(
    network: MdNet, domains: list[Domain], sampler: DomainSampler, recipe: MdNetRecipe
) -> float:
    """Mean over the videos of :func:`ranking_quality` on all frames but the first."""
    return float(np.mean([_of_domain(network, domain, sampler, recipe) for domain in domains]))


def _of_domain(
    network: MdNet, domain: Domain, sampler: DomainSampler, recipe: MdNetRecipe
) -> float:
    rng = np.random.default_rng(recipe.seed)
    classifier = network.classifier(recipe.seed)
    objective = CrossEntropy(classifier)
    trainer = OnlineTrainer(
        classifier.groups, objective, OnlineSettings(),
        torch.Generator().manual_seed(recipe.seed), classifier.train,
    )  # fmt: skip
    trainer.start(*sampler.of_frames(domain.frames[:1], rng, *_FIRST), _STEPS, _RATE)
    trainer.run()
    positives, negatives = sampler.of_frames(domain.frames[1:], rng, *_LATER)
    with torch.no_grad():
        return ranking_quality(
            objective.score(positives.features), objective.score(negatives.features)
        )


def ranking_quality(positives: Tensor, negatives: Tensor) -> float:
    """Share of pairs in which the positive (N,) scores above the negative (M,); ties count half."""
    differences = positives[:, None] - negatives[None]
    return float(((differences > 0).double() + 0.5 * (differences == 0).double()).mean())
