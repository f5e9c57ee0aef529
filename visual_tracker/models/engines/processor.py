"""What the processor is good at, as far as a choice depends on it."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")


@lru_cache(maxsize=1)
def gains_by_bf16() -> bool:
    """Whether products of bf16 are faster than those of fp32 on this processor.

    Not every processor that multiplies bf16 does it faster. With AMX it does, and on AMD's, whose
    AVX-512 BF16 takes twice as many products a cycle as fp32; on Intel's without AMX, or where a
    virtual machine hides it, the network took 14.0 ms in bf16 and 8.3 in fp32
    (docs/performance.md). Where nothing is known, as on other systems than Linux, the answer is no.
    """
    try:
        return _says_gain(_CPUINFO.read_text())
    except OSError:
        return False


def _says_gain(cpuinfo: str) -> bool:
    """Read it out of /proc/cpuinfo, where the first processor stands for all."""
    lines = (line.partition(":") for line in cpuinfo.partition("\n\n")[0].splitlines())
    facts = {name.strip(): value.split() for name, _, value in lines}
    flags = facts.get("flags", [])
    is_amd = facts.get("vendor_id") == ["AuthenticAMD"]
    return "amx_bf16" in flags or (is_amd and "avx512_bf16" in flags)
