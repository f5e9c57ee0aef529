"""Exports of networks, made once and kept in the user's cache folder. Needs no torch.

An export is a folder named after its network and a hash of the weights file and of the code that
makes the network, so that a changed file or version is a new export. It is written beside its place
and moved there in one step: readers see all of it or nothing, and of two writers the first wins.
The folder may be deleted at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

#: exports kept; the least recently used ones beyond go
_KEPT = 24
_UNFINISHED = ".unfinished-"
_BLOCK = 2**20


def cache_folder() -> Path:
    """Where exports lie: `visual_tracker/exports` in `XDG_CACHE_HOME`, by default `~/.cache`.

    Raises:
        OSError: if the user has no home.
    """
    given = os.environ.get("XDG_CACHE_HOME", "")
    # The specification: a relative path is to be ignored.
    try:
        base = Path(given) if Path(given).is_absolute() else Path("~/.cache").expanduser()
    except RuntimeError as error:
        raise OSError(f"{error} Set XDG_CACHE_HOME to a folder.") from None
    return base / "visual_tracker" / "exports"


def export_name(kind: str, network: str, weights: Path) -> str:
    """The folder's name for a network with a weights file.

    Raises:
        OSError: if the file cannot be read.
    """
    digest = hashlib.sha256(_code_hash().encode())
    with weights.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return f"{kind}-{network}-{digest.hexdigest()[:24]}"


def cached_export(name: str) -> Path | None:
    """The folder of an export made before, None if there is none or none that may be looked at."""
    try:
        folder = cache_folder() / name
        if not folder.is_dir():
            return None
    except OSError:
        return None
    with contextlib.suppress(OSError):  # a cache that is read-only is as good
        os.utime(folder)
    return folder


def discard_export(name: str) -> None:
    """Delete an export that was found and cannot be read."""
    shutil.rmtree(cache_folder() / name, ignore_errors=True)


def make_export(name: str, write: Callable[[Path], None]) -> Path:
    """Have an export written, and return its folder.

    Args:
        name: of :func:`export_name`.
        write: fills the folder that it is given.

    Raises:
        OSError: if the cache cannot be written; the user's disk may be full or read-only.
    """
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=cache))
    try:
        write(unfinished)
        unfinished.chmod(0o755)
        try:
            unfinished.rename(cache / name)
        except OSError:  # another process was first, and its export is the same
            if not (cache / name).is_dir():
                raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    _forget_old(cache)
    return cache / name


def _forget_old(cache: Path) -> None:
    """Delete the exports not used for longest; a process that runs one has read it already."""
    used: list[tuple[float, Path]] = []
    for folder in cache.iterdir():
        with contextlib.suppress(OSError):
            used.append((folder.stat().st_mtime, folder))
    used.sort(reverse=True)
    for _, folder in used[_KEPT:]:
        shutil.rmtree(folder, ignore_errors=True)


@lru_cache(maxsize=1)
def _code_hash() -> str:
    """Hash of every module of this package, which is where networks and exports are made."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
