#!/usr/bin/env python3
"""Writes erfcx_terms.h: exp(z^2) erfc(z) for z >= 0 as a polynomial in t = (z - 2) / (z + 2), through
the Chebyshev nodes of [-1, 1]; lowest power first. The relative error for z up to 8 is written
beside each table. Run in this folder, with mpmath: python3 make_erfcx.py > erfcx_terms.h"""
import mpmath as mp

mp.mp.dps = 60
SHIFT = mp.mpf(2)
TABLES = [("float", 11), ("double", 24)]


def erfcx(z):
    return mp.erfc(z) * mp.exp(z * z)


def terms(degree):
    n = degree + 1
    nodes = [mp.cos(mp.pi * (2 * i + 1) / (2 * n)) for i in range(n)]
    values = [erfcx(SHIFT * (1 + t) / (1 - t)) for t in nodes]
    powers = mp.matrix(n, n)
    for i, t in enumerate(nodes):
        for j in range(n):
            powers[i, j] = t**j
    return list(mp.lu_solve(powers, mp.matrix(values)))


def error(c):
    points = (mp.mpf(i) / 50 for i in range(401))
    return max(abs(mp.polyval(c[::-1], (z - SHIFT) / (z + SHIFT)) / erfcx(z) - 1) for z in points)


print("/* Made by make_erfcx.py: exp(z^2) erfc(z) for z >= 0 is the sum of ERFCX[i] t^i with")
print(" * t = (z - 2) / (z + 2). */")
print("/* SPDX-License-Identifier: Apache-2.0 */")
print("#ifndef DT_KERNELS_ERFCX_TERMS_H\n#define DT_KERNELS_ERFCX_TERMS_H\n\n#include \"core/compiler.h\"\n")
for name, degree in TABLES:
    c = terms(degree)
    print("#ifdef DT_REAL_DOUBLE" if name == "double" else "#ifndef DT_REAL_DOUBLE")
    print(f"/* relative error {mp.nstr(error(c), 2)} */")
    print(f"enum {{ ERFCX_DEGREE = {degree} }};")
    print("static const real ERFCX[ERFCX_DEGREE + 1] = {")
    for value in c:
        text = mp.nstr(value, 9 if name == "float" else 19, min_fixed=1, max_fixed=0)
        print(f"    (real){text},")
    print("};\n#endif")
print("\n#endif")
