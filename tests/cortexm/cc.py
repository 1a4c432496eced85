# SPDX-License-Identifier: Apache-2.0
"""A compiler whose programs run on an emulated Cortex-M4: arguments as those of cc, the output is a
script that starts QEMU. For `detent verify --runtime c --compiler`."""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
CC = ["arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb", "-O2"]
LINK = ["--specs=rdimon.specs", "-nostartfiles", "-ffunction-sections", "-fdata-sections",
        "-Wl,--gc-sections", "-T", os.path.join(HERE, "link.ld"), os.path.join(HERE, "startup.c")]
QEMU = ("qemu-system-arm -M mps2-an386 -display none -monitor none -serial none "
        "-semihosting-config enable=on,target=native -kernel")


def build(arguments):
    """Compiles and links; the exit status."""
    program = arguments[arguments.index("-o") + 1]
    image = program + ".elf"
    arguments = [image if a == program else a for a in arguments]
    status = subprocess.call([*CC, *LINK, *arguments])
    if status == 0:
        with open(program, "w", encoding="utf-8") as f:
            f.write(f"#!/bin/sh\nexec {QEMU} '{image}'\n")
        os.chmod(program, 0o755)
    return status


if __name__ == "__main__":
    sys.exit(build(sys.argv[1:]))
