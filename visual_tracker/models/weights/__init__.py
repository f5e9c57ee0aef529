"""The weights that ship with the package: found by name, checked by hash. Needs no torch."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

FOLDER = Path(__file__).parent
MANIFEST = FOLDER / "manifest.json"


class WeightsError(RuntimeError):
    """Weights that cannot be used; the message names the file and says what to do."""


def packaged_names() -> tuple[str, ...]:
    """Names of all weights that ship, like "siamrpn-lite"."""
    return tuple(sorted(_manifest()))


def packaged_weights(kind: str, network: str) -> Path | None:
    """The file of the weights that ship for a network, None if none do.

    Args:
        kind: of network, like "siamrpn".
        network: like "lite".
    """
    entry = _manifest().get(f"{kind}-{network}")
    return FOLDER / entry["file"] if entry else None


def check_packaged(path: Path) -> None:
    """Compare a shipped file with its hash in the manifest.

    Raises:
        WeightsError: if the file is missing or has changed.
    """
    entry = next((entry for entry in _manifest().values() if entry["file"] == path.name), None)
    if entry is None or not path.is_file():
        raise WeightsError(f"{path} is not there; install visual_tracker again")
    if hashlib.sha256(path.read_bytes()).hexdigest() != entry["sha256"]:
        raise WeightsError(f"{path} is damaged (its SHA-256 is wrong); install the package again")


def _manifest() -> dict[str, dict[str, str]]:
    if not MANIFEST.is_file():
        return {}
    manifest: dict[str, dict[str, str]] = json.loads(MANIFEST.read_text())
    return manifest
