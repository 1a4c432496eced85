#!/usr/bin/env python3
"""Writes apot_levels.h: the level sets of additive powers of two (Li, Dong, Wang 2020,
arXiv:1909.13144), as integers: the sums of one element of each subset, in units of the smallest
power; the powers of two 1, 1/2, 1/4... with 0 that they are compared with; and the sets without a
zero +-1, +-2^-Z. Run in this folder: python3 make_apot_levels.py > apot_levels.h"""
import struct

# Exponents of the subsets for B magnitude bits; each subset also holds 0.
SUBSETS = {
    2: [[1, 2, 3]],
    3: [[1, 2, 4], [3]],
    4: [[1, 3, 5], [2, 4, 6]],
    5: [[1, 3, 6], [2, 4, 7], [5]],
    6: [[1, 4, 7], [2, 5, 8], [3, 6, 9]],
}


def levels(B):
    unit = max(e for s in SUBSETS[B] for e in s)
    sums = {0}
    for s in SUBSETS[B]:
        sums = {a + b for a in sums for b in [0] + [2 ** (unit - e) for e in s]}
    out = sorted(sums)
    common = next(d for d in (4, 2, 1) if all(v % d == 0 for v in out))
    assert len(out) == 2**B
    return [v // common for v in out]


def below(x):
    """The float before x: a tie at a negative threshold goes to the level of smaller magnitude."""
    (bits,) = struct.unpack("<I", struct.pack("<f", x))
    return struct.unpack("<f", struct.pack("<I", bits + 1 if x < 0 else bits - 1))[0]


def array(kind, name, values, form):
    text = ", ".join(form % v for v in values)
    print(f"static const {kind} {name}[] = {{ {text} }};")


def powers(B):
    return [0] + [2**i for i in range(2**B - 1)]


def write_set(name, values):
    cuts = [(a + b) / 2 for a, b in zip(values, values[1:])]
    cuts = [below(c) if c < 0 else c for c in cuts]
    array("int", f"{name}_int", values, "%d")
    array("real", f"{name}_level", values, "%d")
    array("real", f"{name}_threshold", cuts, "(real)%.9g")


print("/* Level sets of additive powers of two, of powers of two and without a zero, by")
print(" * make_apot_levels.py. Unsigned sets have B bits, signed ones B magnitude bits; thresholds are")
print(" * midpoints, ties go to the smaller magnitude. */")
print("/* SPDX-License-Identifier: Apache-2.0 */")
print("#ifndef DT_FAKEQUANT_APOT_LEVELS_H\n#define DT_FAKEQUANT_APOT_LEVELS_H\n")
print('#include "core/compiler.h"\n\n/* clang-format off */')
for B in SUBSETS:
    plus = levels(B)
    write_set(f"apot_u{B}", plus)
    write_set(f"apot_s{B}", [-v for v in plus[:0:-1]] + plus)
for B in range(2, 6):  # 6 bits would reach 2^62
    plus = powers(B)
    write_set(f"pot_u{B}", plus)
    write_set(f"pot_s{B}", [-v for v in plus[:0:-1]] + plus)
for Z in range(1, 21):
    write_set(f"nonzero_{Z}", [-(2**Z), -1, 1, 2**Z])
print("/* clang-format on */\n\n#endif")
