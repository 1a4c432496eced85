#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Small networks as ONNX files, read and written back: onnxruntime's answers for both, and verified as
# integer models.
#
#   onnx_read.sh DETENT VENV SOURCE_ROOT
#
# VENV is made when it is not there, with the packages of tests/requirements.txt; exit 77 (skipped)
# when they cannot be had.
set -eu
detent=$1 venv=$2 root=$3
python=$(python3 "$root/tests/support/environment.py" "$venv" "$root/tests/requirements.txt")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" "$root/tests/exchange/onnx_nets_check.py" "$detent" "$work"
