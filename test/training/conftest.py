"""What every training test needs."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

#: holds the lock that is named until its end
_HOLD = """
import fcntl, sys
with open(sys.argv[1], "w") as file:
    fcntl.lockf(file, fcntl.LOCK_EX)
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """One torch thread: two wait for each other on a busy machine."""
    if importlib.util.find_spec("torch") is None:
        yield
        return
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def locked_elsewhere() -> Callable[[Path], AbstractContextManager[None]]:
    """Lets another process hold a file's lock; it is killed at the end of the context."""

    @contextmanager
    def hold(path: Path) -> Iterator[None]:
        command = [sys.executable, "-c", _HOLD, str(path)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen(command, text=True, **pipes) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield
            process.kill()

    return hold
