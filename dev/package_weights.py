#!/usr/bin/env python3
"""Ship trained weights: copy them into the package and write their hash to the manifest.

The calibration of dasiamrpn's confidence goes with them if it lies beside them.

Usage: dev/package_weights.py KIND NETWORK WEIGHTS, for example
       dev/package_weights.py siamrpn lite runs/lite/weights.safetensors
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from pathlib import Path

from visual_tracker.models.loading import load_weights
from visual_tracker.models.networks import create_network
from visual_tracker.models.weights import FOLDER, MANIFEST
from visual_tracker.trackers.confidence import calibration_path, load_calibration


def main(kind: str, network: str, source: Path) -> None:
    """Check that the file fits its network, then ship it."""
    load_weights(create_network(kind, network), source)
    calibrated = load_calibration(source) is not None  # a damaged one raises, nothing is changed
    name = f"{kind}-{network}"
    target = FOLDER / f"{name}.safetensors"
    shutil.copyfile(source, target)
    manifest = json.loads(MANIFEST.read_text()) if MANIFEST.exists() else {}
    digest = hashlib.sha256(target.read_bytes()).hexdigest()
    manifest[name] = {"file": target.name, "sha256": digest}
    MANIFEST.write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n")
    print(f"{target} ({target.stat().st_size} bytes, SHA-256 {digest})")
    if kind == "siamrpn":
        ship_calibration(source, target, network, calibrated)


def ship_calibration(source: Path, target: Path, network: str, calibrated: bool) -> None:
    """Ship the calibration beside the source, or remove one of other weights beside the target."""
    shipped = calibration_path(target)
    if calibrated:
        shutil.copyfile(calibration_path(source), shipped)
        print(shipped)
    elif load_calibration(target) is None:
        shipped.unlink(missing_ok=True)
        print(
            f"beside {source} lies no calibration of these weights: dasiamrpn shows the network's "
            f"own probability until you run: visual-tracker calibrate --network {network} --data .."
        )


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
