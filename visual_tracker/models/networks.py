"""Networks by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import nn

from visual_tracker.models.adnet import LiteAdnet, VggAdnet
from visual_tracker.models.alexnet import AlexNetSiamRpn
from visual_tracker.models.cfnet import LiteCfNet
from visual_tracker.models.efficientnet_lite import WIDE
from visual_tracker.models.lite_siamrpn import LiteSiamRpn
from visual_tracker.models.mdnet import MdNet
from visual_tracker.models.memtrack import LiteMemTrack
from visual_tracker.models.re3 import LiteRe3
from visual_tracker.models.siamfc import LiteSiamFc
from visual_tracker.parameters import ParameterError

NETWORKS: dict[tuple[str, str], Callable[[], nn.Module]] = {
    ("siamrpn", "lite"): LiteSiamRpn,
    ("siamrpn", "lite-wide"): partial(LiteSiamRpn, widths=WIDE),
    ("siamrpn", "alexnet-vot"): AlexNetSiamRpn,
    ("siamrpn", "alexnet-otb"): AlexNetSiamRpn,
    ("siamrpn", "alexnet-big"): partial(AlexNetSiamRpn, scale=2),
    ("siamfc", "lite"): LiteSiamFc,
    ("cfnet", "lite"): LiteCfNet,
    ("memtrack", "lite"): LiteMemTrack,
    ("re3", "lite"): LiteRe3,
    ("mdnet", "lite"): MdNet.lite,
    ("mdnet", "vgg-m"): MdNet.vgg_m,
    ("adnet", "lite"): LiteAdnet,
    ("adnet", "vgg-m"): VggAdnet,
}


def create_network(kind: str, name: str) -> nn.Module:
    """Make an untrained network.

    Args:
        kind: of network, like "siamrpn".
        name: of the network, like "lite".

    Raises:
        ParameterError: if there is none of that kind and name.
    """
    if (kind, name) not in NETWORKS:
        known = ", ".join(other for its_kind, other in NETWORKS if its_kind == kind)
        raise ParameterError(f"there is no {kind} network '{name}'; known: {known or 'none'}")
    return NETWORKS[kind, name]()
