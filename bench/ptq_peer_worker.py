# SPDX-License-Identifier: Apache-2.0
"""What ptq_peers.py runs in a peer's environment: one method on one net.

usage: ptq_peer_worker.py pictures DATA FOLDER NORMALIZE COUNT ""
       ptq_peer_worker.py METHOD NET FOLDER TAG BITS TFLITE      leaves TAG.npy (logits) and TAG.json.part
"""
import glob
import importlib.metadata
import json
import os
import sys

import numpy as np

BATCH = 50


# ---- pictures ----

def cifar(data, count):
    """The test set, and `count` training pictures drawn with seed 0."""
    def read(pattern):
        raw = np.concatenate([np.fromfile(f, np.uint8).reshape(-1, 3073)
                              for f in sorted(glob.glob(os.path.join(data, pattern)))])
        return raw[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), raw[:, 0].astype(np.int64)
    x, _ = read("data_batch_*.bin")
    test_x, test_y = read("test_batch.bin")
    return x[np.random.default_rng(0).permutation(len(x))[:count]], test_x, test_y


def classes(data):
    """Every fifth picture of the folders of classes calibrates; the middle 224 x 224 of each."""
    from PIL import Image
    files = sorted(glob.glob(os.path.join(data, "*", "*")))
    names = sorted({os.path.basename(os.path.dirname(f)) for f in files})
    def middle(f):
        x = np.asarray(Image.open(f).convert("RGB"))
        top, left = (round((n - 224) / 2) for n in x.shape[:2])
        return x[top:top + 224, left:left + 224]
    x = np.stack([middle(f) for f in files])
    y = np.array([names.index(os.path.basename(os.path.dirname(f))) for f in files])
    fifth = np.arange(len(files)) % 5 == 0
    return x[fifth], x[~fifth], y[~fifth]


def normalized(x, how):
    x = x.transpose(0, 3, 1, 2).astype(np.float32)
    if how == "bytes":
        return x
    return x / 255 if how == "none" else (x / 255 - np.float32(0.5)) / np.float32(0.5)


def write_pictures(data, folder, how, count, _):
    from PIL import Image
    is_cifar = glob.glob(os.path.join(data, "data_batch_*.bin"))
    x, test_x, test_y = cifar(data, int(count)) if is_cifar else classes(data)
    for split, pictures in ("train", x), ("test", test_x):
        os.makedirs(os.path.join(folder, "pictures", split), exist_ok=True)
        for i, picture in enumerate(pictures):
            Image.fromarray(picture).save(os.path.join(folder, "pictures", split, f"{i:06d}.png"),
                                          compress_level=1)
    np.save(os.path.join(folder, "calibrate.npy"), normalized(x, how))
    np.save(os.path.join(folder, "test.npy"), normalized(test_x, how))
    np.save(os.path.join(folder, "test_y.npy"), test_y)


# ---- running ----

def logits_of(session, x):
    name = session.get_inputs()[0].name
    return np.concatenate([np.asarray(session.run(None, {name: x[i:i + BATCH]})[0]).reshape(len(x[i:i + BATCH]), -1)
                           for i in range(0, len(x), BATCH)])


def is_exact():
    """Are onnxruntime's kernels for 8-bit codes exact here? On x86-64 they are with VNNI."""
    try:
        with open("/proc/cpuinfo") as f:
            told = f.read()
    except OSError:
        return True
    return "vnni" in told or "avx2" not in told


def ort(model):
    """Where products of codes saturate, pairs of QuantizeLinear and DequantizeLinear stay what they are, and
    what is between them runs in float."""
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.disable_quant_qdq", "0" if is_exact() else "1")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def input_name(net):
    import onnx
    return onnx.load(net, load_external_data=False).graph.input[0].name


def batches(net, x, most=BATCH):
    """All of one size: histograms of onnxruntime's calibration want that."""
    name, size = input_name(net), max(n for n in range(1, most + 1) if len(x) % n == 0)
    return [{name: x[i:i + size]} for i in range(0, len(x), size)]


# ---- methods: the path of a model for onnxruntime, or logits ----

def run_float(net, *_):
    return net


def preprocessed(net, path):
    """Batch norms folded and arithmetic on shapes done, as onnxruntime's quantizer asks for."""
    from onnxruntime.quantization.shape_inference import quant_pre_process
    quant_pre_process(net, path + ".float.onnx", skip_symbolic_shape=True)
    return path + ".float.onnx"


def onnxruntime_static(calibration, reduce_range=False):
    def run(net, path, x, test, bits):
        from onnxruntime.quantization import (CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType,
                                              quantize_static)

        class Reader(CalibrationDataReader):
            def __init__(self):
                self.left = iter(batches(net, x))

            def get_next(self):
                return next(self.left, None)
        quantize_static(preprocessed(net, path), path, Reader(), quant_format=QuantFormat.QDQ, per_channel=True,
                        weight_type=QuantType.QInt4 if bits == "W4A8" else QuantType.QInt8,
                        activation_type=QuantType.QUInt8, reduce_range=reduce_range,
                        calibrate_method=getattr(CalibrationMethod, calibration))
        return path
    return run


def run_nncf(net, path, x, test, bits):
    import nncf
    import onnx
    name = input_name(net)
    data = nncf.Dataset([x[i:i + 1] for i in range(len(x))], lambda picture: {name: picture})
    onnx.save(nncf.quantize(onnx.load(net), data, preset=nncf.QuantizationPreset.MIXED, subset_size=len(x)), path)
    return path


def aimet(method):
    def run(net, path, x, test, bits):
        import aimet_onnx
        import onnx
        model = onnx.load(preprocessed(net, path))
        if method == "cle":
            from aimet_onnx.cross_layer_equalization import equalize_model
            equalize_model(model)
        sim = aimet_onnx.QuantizationSimModel(model, param_type=aimet_onnx.int4 if bits == "W4A8" else
                                              aimet_onnx.int8, activation_type=aimet_onnx.int8)
        if method == "adaround":
            aimet_onnx.apply_adaround(sim, batches(net, x, 32))
        sim.compute_encodings(batches(net, x))
        return logits_of(sim.session, test)
    return run


def quark(method):
    def run(net, path, x, test, bits):
        from onnxruntime.quantization import CalibrationDataReader
        from quark.onnx import ModelQuantizer
        from quark.onnx.quantization.config.config import Config
        from quark.onnx.quantization.config.custom_config import get_default_config

        class Reader(CalibrationDataReader):
            def __init__(self):
                self.left = iter(batches(net, x, 1))

            def get_next(self):
                return next(self.left, None)
        config = get_default_config({"nearest": "U8S8_AAWS", "adaround": "U8S8_AAWS_ADAROUND",
                                     "adaquant": "U8S8_AAWS_ADAQUANT"}[method])
        config.per_channel = True
        ModelQuantizer(Config(global_quant_config=config)).quantize_model(net, path, Reader())
        return path
    return run


def with_signature(tflite, path):
    """The quantizer asks for a signature, which older files do not have."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema
    with open(tflite, "rb") as f:
        model = schema.ModelT.InitFromPackedBuf(bytearray(f.read()), 0)
    graph = model.subgraphs[0]
    def named(indices, name):
        pairs = []
        for i, index in enumerate(indices):
            pair = schema.TensorMapT()
            pair.name, pair.tensorIndex = f"{name}_{i}".encode(), int(index)
            pairs.append(pair)
        return pairs
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = b"serving_default", 0
    signature.inputs, signature.outputs = named(graph.inputs, "input"), named(graph.outputs, "output")
    model.signatureDefs = [signature]
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    with open(path, "wb") as f:
        f.write(builder.Output())
    return path


def run_litert(net, path, x, test, bits, tflite):
    """From the float TFLite file of the same net, whose pictures have channels last."""
    from ai_edge_litert.interpreter import Interpreter
    from ai_edge_quantizer import quantizer, recipe
    last = lambda pictures: np.ascontiguousarray(pictures.transpose(0, 2, 3, 1))
    work = quantizer.Quantizer(with_signature(tflite, path + ".float"), recipe.static_wi8_ai8())
    told = work.calibrate({"serving_default": [{"input_0": last(x[i:i + 1])} for i in range(len(x))]})
    work.quantize(told).export_model(path, overwrite=True)
    run = Interpreter(path)
    run.allocate_tensors()
    into, out = run.get_input_details()[0], run.get_output_details()[0]
    scale, zero = into["quantization"]
    all_logits = []
    for picture in last(test):
        value = picture[None]
        if into["dtype"] != np.float32:
            value = np.clip(np.rint(value / scale) + zero, -128, 127).astype(into["dtype"])
        run.set_tensor(into["index"], value)
        run.invoke()
        z = run.get_tensor(out["index"])[0]
        s, o = out["quantization"]
        all_logits.append(z if out["dtype"] == np.float32 else
                          np.maximum((z.astype(np.float32) - o) * s, s / 2))
    return np.log(np.maximum(np.array(all_logits), 1e-9))  # the file ends in a softmax of 8 bits


METHODS = {
    "float": ("onnxruntime", run_float), "count": ("onnxruntime", run_float),
    "minmax": ("onnxruntime", onnxruntime_static("MinMax")),
    "entropy": ("onnxruntime", onnxruntime_static("Entropy")),
    "percentile": ("onnxruntime", onnxruntime_static("Percentile")),
    "percentile7": ("onnxruntime", onnxruntime_static("Percentile", True)),
    "mixed": ("nncf", run_nncf), "static": ("ai-edge-quantizer", run_litert),
}
for each in ("nearest", "cle", "adaround"):
    METHODS["aimet-" + each] = ("aimet-onnx", aimet(each))
for each in ("nearest", "adaround", "adaquant"):
    METHODS["quark-" + each] = ("amd-quark", quark(each))


def main():
    method, net, folder, tag, bits, tflite = sys.argv[1:]
    if method == "pictures":
        return write_pictures(net, folder, tag, bits, tflite)
    peer = tag.rsplit("-", 1)[0]
    package, run = METHODS.get(f"{peer}-{method}") or METHODS[method]
    x, test = (np.load(os.path.join(folder, f"{n}.npy"), mmap_mode="r") for n in ("calibrate", "test"))
    path = os.path.join(folder, tag + (".tflite" if tflite and method == "static" else ".onnx"))
    more = (tflite,) if method == "static" else ()
    result = run(net, path, x, test, bits, *more)
    logits = logits_of(ort(result), test) if isinstance(result, str) else result
    np.save(os.path.join(folder, tag + ".npy"), logits)
    with open(os.path.join(folder, tag + ".json.part"), "w") as f:
        json.dump({"method": method, "version": f"{package} {importlib.metadata.version(package)}"}, f)


if __name__ == "__main__":
    main()
