#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints the name under which the loader knows a shared library: what a program that is linked with it
has as NEEDED.

usage: soname.py FOLDER NAME     FOLDER/libNAME.so"""
import os
import subprocess
import sys


def main(folder, name):
    path = os.path.join(folder, f"lib{name}.so")
    told = subprocess.run(["readelf", "-d", path], capture_output=True, text=True, check=True).stdout
    names = [line.split("[", 1)[1].split("]", 1)[0] for line in told.splitlines() if "(SONAME)" in line]
    print(names[0] if names else os.path.basename(path))


main(*sys.argv[1:])
