#!/usr/bin/env python3
"""Ship trained weights: copy them into the package and write their hash to the manifest.

The calibration of the tracker's confidence goes with them if it lies beside them.

Usage: dev/package_weights.py KIND NETWORK WEIGHTS, for example
       dev/package_weights.py siamrpn lite runs/lite/weights.safetensors
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from visual_tracker.models.loading import load_weights
from visual_tracker.models.networks import create_network
from visual_tracker.models.weights import FOLDER, MANIFEST
from visual_tracker.trackers.confidence import calibration_path, load_calibration
from visual_tracker.training.witnesses import WITNESSED


def main(kind: str, network: str, source: Path) -> None:
    """Check that the file fits its network, then ship it."""
    load_weights(create_network(kind, network), source)
    # a damaged one raises, nothing is changed
    calibrated = {
        cls: load_calibration(source, cls.evidence) is not None
        for cls in WITNESSED.values()
        if cls.kind == kind
    }
    name = f"{kind}-{network}"
    target = FOLDER / f"{name}.safetensors"
    shutil.copyfile(source, target)
    manifest = json.loads(MANIFEST.read_text()) if MANIFEST.exists() else {}
    digest = hashlib.sha256(target.read_bytes()).hexdigest()
    manifest[name] = {"file": target.name, "sha256": digest}
    MANIFEST.write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n")
    print(f"{target} ({target.stat().st_size} bytes, SHA-256 {digest})")
    for cls, is_calibrated in calibrated.items():
        ship_calibration(source, target, cls, network, is_calibrated)


def ship_calibration(
    source: Path, target: Path, cls: type[Any], network: str, is_calibrated: bool
) -> None:
    """Ship a tracker's calibration beside the source, or remove the target's of other weights."""
    shipped = calibration_path(target, cls.evidence)
    if is_calibrated:
        shutil.copyfile(calibration_path(source, cls.evidence), shipped)
        print(shipped)
    elif load_calibration(target, cls.evidence) is None:
        shipped.unlink(missing_ok=True)
        print(
            f"beside {source} lies no calibration of these weights: {cls.name} shows the network's "
            f"own probability until you run: visual-tracker calibrate --tracker {cls.name} "
            f"--network {network} --data .."
        )


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
