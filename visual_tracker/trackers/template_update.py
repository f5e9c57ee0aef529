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
    """

    def __init__(self, matcher: ProposalMatcher, first: Any) -> None:
        self._matcher = matcher
        self.first = self._recent = self._searched = first
        #: with which what is searched for was mixed; None if it was before the last lesson
        self._share: float | None = 0.0

    def learn(self, template: Any, rate: float) -> None:
        """Take a later template into the running mean.

        Args:
            template: of a frame in which the target was held.
            rate: weight of it in the mean, in [0, 1].
        """
        self._recent = self._matcher.mixed(self._recent, template, rate)
        self._share = None

    def searched(self, share: float) -> Any:
        """What to search for; the same object until something changes.

        Args:
            share: weight of the mean against the first template, in [0, 1].
        """
        if share != self._share:
            is_first = share == 0 or self._recent is self.first
            self._searched = (
                self.first if is_first else self._matcher.mixed(self.first, self._recent, share)
            )
            self._share = share
        return self._searched
