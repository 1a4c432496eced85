#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs into an empty folder, then builds and runs a program with what pkg-config tells.
#   install.sh BUILD SOURCE PREFIX COMPILER...
set -euo pipefail
build=$1 source=$2 prefix=$3
shift 3

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
DESTDIR=$folder meson install -C "$build" --no-rebuild --quiet

pc=$(find "$folder" -name detent.pc)
[ -n "$pc" ] || { echo "no detent.pc was installed" >&2; exit 1; }
export PKG_CONFIG_PATH="${pc%/*}"
flags() { pkg-config --define-variable=prefix="$folder$prefix" "$@" detent; }

[ "$(flags --modversion)" = "$("$folder$prefix/bin/detent" --version | cut -d ' ' -f 2)" ]
# shellcheck disable=SC2046  # flags are words
"$@" "$source/tests/install/program.c" -o "$folder/program" $(flags --cflags) $(flags --static --libs)
# What it runs lies in the program: it knows no path of the build, which others may own.
[ -z "$(grep -aoF -e "$source" -e "$build" "$folder$prefix/bin/detent")" ] ||
    { echo "the program knows the folder that it was built in" >&2; exit 1; }
answer=$("$folder/program" "$source/recipes/builtin/smallcnn.yaml")
echo "$answer"
[ "$answer" = "smallcnn: 10 classes" ]
