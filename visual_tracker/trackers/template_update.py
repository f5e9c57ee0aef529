"""The template that is searched for: the first frame's, and in part a running mean of later ones.

The linear update of Zhang et al., "Learning the Model Update for Siamese Trackers", ICCV 2019,
section 3.1, with the first frame's template kept at a fixed share, so that what was learned wrong
can never make up the whole template.
"""

from __future__ import annotations

from typing import Any

from visual_tracker.models.matchers import ProposalMatcher


class UpdatedTemplate:
    """A template and how it changes.

    Args:
        matcher: makes and mixes templates.
        first: of the first frame.

    Attributes:
        first: as given.
        current: what to search for.
    """

    def __init__(self, matcher: ProposalMatcher, first: Any) -> None:
        self._matcher = matcher
        self.first = self._recent = self.current = first

    def learn(self, template: Any, rate: float, share: float) -> None:
        """Take a later template into the running mean, and this into what is searched for.

        Args:
            template: of a frame in which the target was held.
            rate: weight of it in the mean, in [0, 1].
            share: weight of the mean against the first template, in [0, 1].
        """
        self._recent = self._matcher.mixed(self._recent, template, rate)
        self.current = self._matcher.mixed(self.first, self._recent, share)
