"""What a process is told before it spins."""

from __future__ import annotations

import subprocess
import sys

_COUNT = """
import gc
import rclpy
from rclpy.node import Node
from visual_tracker.ros.spinning import run

def count(node):
    print(gc.get_freeze_count(), len(gc.get_objects()))
    raise KeyboardInterrupt

rclpy.init(args=[])
run(lambda: Node("counted"), count)
"""


def test_what_was_imported_is_left_out_of_garbage_collections() -> None:
    result = subprocess.run(
        [sys.executable, "-c", _COUNT], capture_output=True, text=True, check=True
    )
    left_out, looked_at = map(int, result.stdout.split())
    assert left_out > 20 * looked_at
