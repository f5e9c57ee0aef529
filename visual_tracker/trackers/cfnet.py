"""CFNet: SiamFC whose template is a correlation filter that tells the target from its background.

Valmadre et al., "End-to-end representation learning for Correlation Filter based tracking", CVPR
2017. It tracks as SiamFC does (`visual_tracker.trackers.siamfc`); every frame in which the target
is held gives a filter that the running one takes a share of (section 3.4).
"""

from __future__ import annotations

from dataclasses import dataclass

from visual_tracker.parameters import with_default
from visual_tracker.trackers.siamfc import SiamFcParameters, SiamFcTracker


@dataclass(frozen=True)
class CfNetParameters(SiamFcParameters):
    """Parameters of CFNet; the defaults are the released code's where it has them."""

    scale_step: float = with_default(SiamFcParameters, "scale_step", 1.047)
    scale_penalty: float = with_default(SiamFcParameters, "scale_penalty", 0.9825)
    scale_rate: float = with_default(SiamFcParameters, "scale_rate", 0.68)
    window_influence: float = with_default(SiamFcParameters, "window_influence", 0.175)
    template_rate: float = with_default(SiamFcParameters, "template_rate", 0.0102)
    # every frame in which the target is held: a filter that is sure of few does not follow it
    template_threshold: float = with_default(SiamFcParameters, "template_threshold", 0.0)


class CfNetTracker(SiamFcTracker):
    """CFNet."""

    name = "cfnet"
    kind = "cfnet"
    summary = "CFNet: SiamFC with a correlation filter for a template, three scales (CPU, CUDA)"
    parameters_class = CfNetParameters
