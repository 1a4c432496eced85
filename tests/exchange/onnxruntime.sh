#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Trains and exports small nets and holds onnxruntime's predictions and fused operators against ours.
#
#   onnxruntime.sh DETENT VENV SOURCE_ROOT                             the quick test
#   onnxruntime.sh DETENT VENV SOURCE_ROOT RECIPE CHECKPOINT DATA      a checkpoint on all of CIFAR-10
#
# VENV is made when it is not there, with the packages of tests/requirements.txt; exit 77 (skipped)
# when they cannot be had. The second form prints top-1 in onnxruntime and in `detent eval`, and how
# many predictions differ: with float biases, and with biases rounded as exported.
set -eu
detent=$1 venv=$2 root=$3
here=$root/tests/exchange
python=$(python3 "$root/tests/support/environment.py" "$venv" "$root/tests/requirements.txt")
work=$(mktemp -d)
export_flags=
threads=
trap 'rm -rf "$work"' EXIT

# name recipe checkpoint data, then arguments of onnxruntime_check.py
compare() {
    name=$1 recipe=$2 checkpoint=$3 data=$4
    shift 4
    "$detent" export "$recipe" "model.init=$checkpoint" $export_flags \
        --out "$work/$name.onnx" >"$work/log" 2>&1 ||
        { cat "$work/log"; exit 1; }
    "$detent" eval "$recipe" "model.init=$checkpoint" "data.root=$data" --as-exported $threads \
        --predictions "$work/$name.txt" --json >/dev/null
    pictures=$data/test_batch.bin
    [ -f "$pictures" ] || pictures=$data/cifar-10-batches-bin/test_batch.bin
    echo "$name:"
    "$python" "$here/onnxruntime_check.py" check --model "$work/$name.onnx" \
        --pictures "$pictures" --predictions "$work/$name.txt" "$@"
}

# Additions in onnxruntime are fused multiply-adds where the processor has them.
rounding=fp32
grep -qw fma /proc/cpuinfo || rounding=unfused

# The exported file at every quantized value against the integer model: equal, and with another
# rounding not.
verify() {
    "$detent" verify "$1" "model.init=$2" "data.root=$3" $threads --runtime ort $export_flags \
        --python "$python" --images 250 --rounding $rounding >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
    tail -2 "$work/log"
    for way in $rounding double; do
        "$detent" verify "$1" "model.init=$2" "data.root=$3" $threads --prove --runtime ort \
            --python "$python" --rounding $way >"$work/log" 2>&1 && equal=yes || equal=no
        tail -1 "$work/log"
        [ $equal = yes ] || [ $way = double ] || { cat "$work/log"; exit 1; }
        [ $equal = no ] || [ $way != double ] || { echo "FAIL: another rounding was proved"; exit 1; }
    done
    if "$detent" verify "$1" "model.init=$2" "data.root=$3" $threads --runtime ort $export_flags \
        --python "$python" --images 250 --rounding double >"$work/log" 2>&1
    then
        echo "FAIL: another rounding was not seen"
        exit 1
    fi
    grep -q "^NOT verified" "$work/log" || { cat "$work/log"; exit 1; }
}

# name recipe, then keys of the recipe
train() {
    name=$1 recipe=$2
    shift 2
    "$detent" train "$recipe" "data.root=$work/data" "$@" $threads --out "$work/$name" \
        >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
}

# The recipe without quantizers.
float_of() {
    sed '/^quant:/,/^train:/{/^train:/!d}' "$1"
}

if [ $# -gt 3 ]; then
    recipe=$4 checkpoint=$5 data=$6
    compare as-exported "$recipe" "$checkpoint" "$data" --integer
    "$detent" eval "$recipe" "model.init=$checkpoint" "data.root=$data" \
        --predictions "$work/float.txt" --json >/dev/null
    echo "float biases (informative):"
    "$python" "$here/onnxruntime_check.py" check --model "$work/as-exported.onnx" \
        --pictures "$pictures" --predictions "$work/float.txt" --max-differ 1000
    exit 0
fi

threads="--threads 1" # so little work that threads cost more than they give on a busy machine
"$python" "$here/onnxruntime_check.py" make-pictures "$work/data"
train small "$here/smallcnn-w4a4.yaml"
compare small "$here/smallcnn-w4a4.yaml" "$work/small/last.h5" "$work/data" --integer \
    --expect QLinearConv=5 --expect QLinearGlobalAveragePool=1 --expect QGemm=1
verify "$here/smallcnn-w4a4.yaml" "$work/small/last.h5" "$work/data"
"$detent" export "$here/smallcnn-w4a4.yaml" "model.init=$work/small/last.h5" --format onnx_int4 \
    --out "$work/int4.onnx" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
"$python" "$here/int4_check.py" "$work/int4.onnx" "$work/small.onnx" "$pictures"
export_flags="--format qoperator"
compare operators "$here/smallcnn-w4a4.yaml" "$work/small/last.h5" "$work/data" --integer \
    --expect QLinearConv=5 --expect QLinearGlobalAveragePool=1 --expect QGemm=1
verify "$here/smallcnn-w4a4.yaml" "$work/small/last.h5" "$work/data"
export_flags=
train residual "$here/resnet20-w8a8.yaml"
compare residual "$here/resnet20-w8a8.yaml" "$work/residual/last.h5" "$work/data" --integer \
    --expect QLinearConv=21 --expect QLinearAdd=9 --expect QLinearGlobalAveragePool=1 --expect QGemm=1
verify "$here/resnet20-w8a8.yaml" "$work/residual/last.h5" "$work/data"
export_flags="--format qoperator"
compare residual-operators "$here/resnet20-w8a8.yaml" "$work/residual/last.h5" "$work/data" \
    --integer --expect QLinearConv=21 --expect QLinearAdd=9 --expect QLinearGlobalAveragePool=1 \
    --expect QGemm=1
verify "$here/resnet20-w8a8.yaml" "$work/residual/last.h5" "$work/data"

float_of "$here/mobilenet-w4a4.yaml" >"$work/mobile-float.yaml"
train mobile-float "$work/mobile-float.yaml"
train mobile "$here/mobilenet-w4a4.yaml" "model.init=$work/mobile-float/last.h5"
compare mobile "$here/mobilenet-w4a4.yaml" "$work/mobile/last.h5" "$work/data" --integer \
    --expect QLinearConv=52 --expect QLinearAdd=12 --expect QLinearGlobalAveragePool=1 --expect QGemm=1
verify "$here/mobilenet-w4a4.yaml" "$work/mobile/last.h5" "$work/data"

# The small net without quantizers.
float=$work/float.yaml
float_of "$here/smallcnn-w4a4.yaml" >"$float"
train float "$float"
export_flags=--allow-float
compare float "$float" "$work/float/last.h5" "$work/data" --expect Conv=5 --max-differ 0
