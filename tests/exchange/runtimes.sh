#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Trains small nets, exports them for runtimes other than onnxruntime, and compares every code.
#
#   runtimes.sh DETENT VENV SOURCE_ROOT GOLDEN OPERATORS
#
# GOLDEN and OPERATORS are the programs of golden.c and operators.c, whose graphs of single operations
# come first.
# VENV is made when it is not there, with the packages of tests/requirements-runtimes.txt; exit 77
# (skipped) when they cannot be had.
set -eu
detent=$1 venv=$2 root=$3 golden=$4 operators=$5
here=$root/tests/exchange
python=$(python3 "$root/tests/support/environment.py" "$venv" "$root/tests/requirements-runtimes.txt")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
threads="--threads 1" # so little work that threads cost more than they give on a busy machine

train() { # name recipe
    "$detent" train "$2" "data.root=$work/data" $threads --out "$work/$1" >"$work/log" 2>&1 ||
        { cat "$work/log"; exit 1; }
}

# name recipe, then arguments of verify: equal
equal() {
    name=$1 recipe=$2
    shift 2
    "$detent" verify "$recipe" "model.init=$work/$name/last.h5" "data.root=$work/data" $threads \
        --python "$python" --images 250 "$@" >"$work/log" 2>"$work/err" ||
        { cat "$work/err" "$work/log"; exit 1; }
    echo "$name $*: $(tail -2 "$work/log" | head -1)"
}

# The same: and seen to be different.
different() {
    name=$1 recipe=$2
    shift 2
    if "$detent" verify "$recipe" "model.init=$work/$name/last.h5" "data.root=$work/data" \
        $threads --python "$python" --images 250 "$@" >"$work/log" 2>"$work/err"
    then
        echo "FAIL: $name $*: another rounding was not seen"
        exit 1
    fi
    grep -q "^NOT verified" "$work/log" || { cat "$work/err" "$work/log"; exit 1; }
}

mkdir "$work/golden"
"$golden" "$work/golden" >"$work/log" || { cat "$work/log"; exit 1; }
"$python" "$here/golden_check.py" "$root" "$work/golden" 2>"$work/err" || { cat "$work/err"; exit 1; }
mkdir "$work/operators"
"$operators" "$work/operators" >"$work/operators.txt" || { cat "$work/operators.txt"; exit 1; }
"$python" "$here/golden_check.py" "$root" "$work/operators" "$work/compared.txt" 2>"$work/err" ||
    { cat "$work/err"; exit 1; }
"$python" "$here/operators.py" "$root" "$work/operators.txt" "$work/compared.txt"

"$python" "$here/litert_means.py" "$root/tests/integer/litert_means.inc" 2>"$work/err" ||
    { cat "$work/err"; exit 1; }
"$python" "$here/onnxruntime_check.py" make-pictures "$work/data"
train small "$here/smallcnn-w4a4.yaml"
train residual "$here/resnet20-w8a8.yaml"
for net in "small smallcnn-w4a4" "residual resnet20-w8a8"; do
    name=${net% *} recipe=$here/${net#* }.yaml
    equal "$name" "$recipe" --runtime litert
    equal "$name" "$recipe" --runtime litert --rounding double
    equal "$name" "$recipe" --runtime litert --format tflite_int4
    equal "$name" "$recipe" --runtime qonnx --images 100
    different "$name" "$recipe" --runtime litert --format tflite_int4 --rounding fp32
done

# TensorRT: the structure alone. Eight bits behind a ReLU do not fit its int8 and are refused.
keys="quant.residual.bits=7 quant.last.activations=7"
"$detent" train "$here/smallcnn-w4a4.yaml" $keys "data.root=$work/data" $threads --out "$work/trt" \
    >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
"$detent" export "$here/smallcnn-w4a4.yaml" $keys "model.init=$work/trt/last.h5" --target trt \
    --out "$work/trt.onnx" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
"$python" "$here/trt_check.py" "$work/trt.onnx"
if "$detent" export "$here/smallcnn-w4a4.yaml" "model.init=$work/small/last.h5" --target trt \
    --out "$work/no.onnx" >"$work/log" 2>&1
then
    echo "FAIL: trt takes unsigned codes of 8 bits"
    exit 1
fi
grep -q "^rule: trt: .*127" "$work/log" || { cat "$work/log"; exit 1; }
