#!/usr/bin/env python3
"""Ship trained weights: copy them into the package and write their hash to the manifest.

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


def main(kind: str, network: str, source: Path) -> None:
    """Check that the file fits its network, then ship it."""
    load_weights(create_network(kind, network), source)
    name = f"{kind}-{network}"
    target = FOLDER / f"{name}.safetensors"
    shutil.copyfile(source, target)
    manifest = json.loads(MANIFEST.read_text()) if MANIFEST.exists() else {}
    digest = hashlib.sha256(target.read_bytes()).hexdigest()
    manifest[name] = {"file": target.name, "sha256": digest}
    MANIFEST.write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n")
    print(f"{target} ({target.stat().st_size} bytes, SHA-256 {digest})")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
