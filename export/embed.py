# SPDX-License-Identifier: Apache-2.0
"""Texts as C arrays: every NAME.c.in becomes `static const char c99_NAME[]`.

usage: embed.py OUTPUT INPUT...
"""
import os
import sys

with open(sys.argv[1], "w", encoding="ascii") as out:
    out.write("/* Made by export/embed.py. */\n")
    for path in sys.argv[2:]:
        name = os.path.basename(path).split(".")[0]
        with open(path, "rb") as f:
            data = f.read() + b"\0"
        out.write(f"static const char c99_{name}[] = {{\n")
        for at in range(0, len(data), 24):
            out.write("".join(f"{byte}," for byte in data[at:at + 24]) + "\n")
        out.write("};\n")
