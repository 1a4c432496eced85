# SPDX-License-Identifier: Apache-2.0
"""Memory that this process has taken, by what it asked for."""
import ctypes
import gc


class Mallinfo(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")]


def taken():
    """KiB that malloc has handed out, and KiB of private memory that is mapped. What is resident tells less: the
    kernel joins small pages to large ones, takes pages away and gives them back when it likes."""
    libc = ctypes.CDLL(None)
    libc.mallinfo2.restype = Mallinfo
    gc.collect()
    info = libc.mallinfo2()
    with open("/proc/self/status") as f:
        mapped = next(int(line.split()[1]) for line in f if line.startswith("VmData:"))
    return (info.uordblks + info.hblkhd) // 1024, mapped
