"""The package's nodes as processes of their own, and what they use of the machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

#: seconds for a node to end after it was interrupted
_STOP_TIMEOUT = 10.0
_PROFILE = "FASTRTPS_DEFAULT_PROFILES_FILE"


class ProcessError(RuntimeError):
    """A node's process cannot be started or ended early; the message says which."""


def use_local_dds() -> None:
    """Give this process and those it starts room for images, and keep them on this machine.

    What the user has set stays.

    Raises:
        ProcessError: if the package is not installed, so that its DDS profile cannot be found.
    """
    try:
        share = Path(get_package_share_directory("visual_tracker"))
    except PackageNotFoundError as error:
        raise ProcessError(
            "visual_tracker is not installed for ROS; run make setup or colcon build"
        ) from error
    os.environ.setdefault(_PROFILE, str(share / "config" / "fastdds_big_images.xml"))
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")


class NodeProcess:
    """One of the package's nodes, running until it is closed (`contextlib.closing`).

    Args:
        module: of `visual_tracker.ros`, like "tracker_node".
        *arguments: before the ROS arguments.
        quiet: drop what it prints.
        **parameters: of the node; "__" stands for the dot of a tracker's parameter.
    """

    def __init__(
        self, module: str, *arguments: str, quiet: bool = False, **parameters: object
    ) -> None:
        self.module = module
        command = [sys.executable, "-m", f"visual_tracker.ros.{module}", *arguments, "--ros-args"]
        for name, value in parameters.items():
            text = str(value).lower() if isinstance(value, bool) else str(value)
            command += ["-p", f"{name.replace('__', '.')}:={text}"]
        output = subprocess.DEVNULL if quiet else None
        self._process = subprocess.Popen(command, stdout=output, stderr=output)
        self._folder = Path("/proc") / str(self._process.pid)

    def check(self) -> None:
        """Raise ProcessError if the process has ended."""
        code = self._process.poll()
        if code is not None:
            raise ProcessError(f"the process of {self.module} ended early, with code {code}")

    def cpu_seconds(self) -> float:
        """Processor time used so far (Linux only)."""
        fields = (self._folder / "stat").read_text().rsplit(")", 1)[1].split()
        # utime and stime are the 14th and 15th fields of the line, the name being the 2nd
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_mb(self) -> float:
        """Memory held now, in megabytes (Linux only)."""
        pages = int((self._folder / "statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def open_files(self) -> int:
        """File descriptors open now (Linux only)."""
        return len(list((self._folder / "fd").iterdir()))

    def close(self) -> None:
        """Interrupt the node and wait for it to end; it is killed if it does not."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(_STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
