# SPDX-License-Identifier: Apache-2.0
"""Texts as C arrays: every NAME.<ending> becomes `static const char PREFIX_NAME[]`; PREFIX_ROWS lists
them all as { "NAME.<ending>", PREFIX_NAME }.

usage: embed.py OUTPUT PREFIX INPUT...
"""
import os
import sys

target, prefix, *inputs = sys.argv[1:]
rows = []
with open(target, "w", encoding="ascii") as out:
    out.write("/* Made by exchange/embed.py. */\n")
    for path in inputs:
        name = os.path.basename(path).split(".")[0]
        rows.append(f'{{ "{os.path.basename(path)}", {prefix}_{name} }}')
        with open(path, "rb") as f:
            data = f.read() + b"\0"
        out.write(f"static const char {prefix}_{name}[] = {{\n")
        for at in range(0, len(data), 24):
            out.write("".join(f"{byte - (byte & 128) * 2}," for byte in data[at:at + 24]) + "\n")
        out.write("};\n")
    out.write(f"#define {prefix}_ROWS " + ", ".join(rows) + "\n")
