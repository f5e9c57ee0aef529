"""Networks with random weights, which do for speed: their files, and trackers that stay put."""

from __future__ import annotations

from pathlib import Path

from visual_tracker.evaluation.candidates import Candidate
from visual_tracker.parameters import Value

#: the last layer of each network's regression, zeroed so that boxes stay finite and where they are
_LAST_REGRESSION = ("regress_adjust.", "regression.head.3.")


def random_candidate(network: str, folder: Path) -> Candidate:
    """Dasiamrpn on a network with random weights, written to a file.

    Its box keeps its size and it never reports a loss, since random scores mean nothing.

    Args:
        network: of SiamRPN, like "alexnet-vot"; also the candidate's label.
        folder: takes the file.

    Raises:
        ParameterError: if there is no such network.
    """
    import torch

    from visual_tracker.models.networks import create_network

    torch.manual_seed(0)
    state = create_network("siamrpn", network).state_dict()
    for name, value in state.items():
        if name.startswith(_LAST_REGRESSION):
            value.zero_()
    path = folder / f"{network}.pt"
    torch.save(state, path)
    settings: dict[str, Value] = {
        "network": network,
        "weights": str(path),
        "size_rate": 0.0,
        "lost_threshold": 0.0,
        "window_influence": 1.0,
    }
    return Candidate(network, "dasiamrpn", settings)
