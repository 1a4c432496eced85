# SPDX-License-Identifier: Apache-2.0
"""What the scripts verify_*.py share: the stream that cli/runtime.c describes, the comparison, and what
is said of it."""
import json
import struct


class CannotRun(Exception):
    """What a script needs is not there."""


class Failed(Exception):
    """It cannot tell whether all is equal."""


class Tally:
    """Values compared, by node."""

    def __init__(self):
        self.pictures = 0
        self.checked, self.differ, self.largest = {}, {}, {}

    def add(self, name, checked, differ, largest):
        self.checked[name] = self.checked.get(name, 0) + checked
        self.differ[name] = self.differ.get(name, 0) + differ
        self.largest[name] = max(self.largest.get(name, 0), largest)

    def first(self, names):
        """The first of `names` that differs, or None."""
        return next((name for name in names if self.differ.get(name)), None)

    def nodes(self):
        return [{"name": k, "checked": self.checked[k], "differ": self.differ[k],
                 "largest": self.largest[k]} for k in self.checked]


def shapes_of(header):
    """{node: (H, W, C)}."""
    return {n["name"]: (n["H"], n["W"], n["C"]) for n in header["nodes"]}


def outputs_of(nodes, names):
    """{name: the last value that the nodes "name/..." of an ONNX file make, floats of it aside}."""
    last = {}
    for node in nodes:
        name, _, part = node.output[0].rpartition("/")
        if part and node.op_type != "DequantizeLinear":
            last[name] = node.output[0]
    return {name: last[name] for name in names if name in last}


def batch_size(stream):
    """Pictures of the next batch; 0 ends."""
    data = stream.read(8)
    if len(data) < 8:
        raise Failed("the pictures ended early")
    return struct.unpack("<q", data)[0]


def record_of(header):
    """Numbers of a sample: of all inputs, one behind the other."""
    count = 0
    for port in header["inputs"]:
        each = 1
        for dim in port["shape"]:
            each *= dim
        count += each
    return count


def outputs_of_net(header):
    """{output: its numbers}, in their order; a single one is "logits"."""
    ports = header["outputs"]
    if len(ports) == 1:
        return {"logits": ports[0]["count"]}
    return {f"output {port['name']}": port["count"] for port in ports}


def parts_of(header, record):
    """{output: values [n,...]} of all outputs of samples, one behind the other."""
    values, at = {}, 0
    for name, count in outputs_of_net(header).items():
        values[name] = record[:, at:at + count]
        at += count
    return values


def inputs_of(header, x):
    """{input: values [n, ...], channels last} of samples [n,record]."""
    import numpy as np
    values, at = {}, 0
    for port in header["inputs"]:
        count = int(np.prod(port["shape"]))
        values[port["name"]] = x[:, at:at + count].reshape(len(x), *port["shape"])
        at += count
    return values


def batches(stream, header):
    """({input: values [n, ...]}, {node: codes [n,H,W,C], output: [n,...]}) of each batch."""
    import numpy as np  # verify_c.py does without

    def read(dtype, *shape):
        count = int(np.prod(shape))
        return np.frombuffer(stream.read(count * np.dtype(dtype).itemsize), dtype,
                             count).reshape(shape)

    while n := batch_size(stream):
        x = inputs_of(header, read("<f4", n, record_of(header)))
        ours = {name: read(np.uint8, n, *shape) for name, shape in shapes_of(header).items()}
        ours.update(parts_of(header, read("<f4", n, sum(outputs_of_net(header).values()))))
        yield x, ours


def size_of(ours):
    """Samples of a batch."""
    return len(next(iter(ours.values())))


def as_inputs(values):
    """Inputs as an ONNX file has them: pictures [n,C,H,W], others as they are."""
    import numpy as np
    return {name: np.ascontiguousarray(x.transpose(0, 3, 1, 2) if x.ndim == 4 else x)
            for name, x in values.items()}


def compare(tally, ours, theirs):
    import numpy as np
    for name, value in theirs.items():
        distance = np.abs(value.astype(np.float64) - ours[name])
        tally.add(name, distance.size, int((distance != 0).sum()), float(distance.max()))


class Runtime:
    """What a script says of its runtime."""

    name = ""        # with its version
    codes_in = ()    # names of the nodes whose codes are the model's inputs

    def __init__(self, header):
        """Opens the exported file, header["model"]."""

    def forward(self, x, ours):
        """{node or output: values [n,H,W,C]} for {input: values [n, ...]} and our codes."""
        raise NotImplementedError

    def facts(self):
        """What else the JSON says: {key: value}."""
        return {}

    def summary(self):
        """What is said beside the name."""
        return ""

    def notes(self):
        """Lines of text."""
        return []

    def good(self):
        """Does the file run as it should, beside its values?"""
        return True


def report(as_json, runtime, names, outputs, tally, good, facts=None, notes=(), missing=()):
    """Prints the result; True when all is well. `names` are the nodes, in their order."""
    differ, checked = sum(tally.differ.values()), sum(tally.checked.values())
    first = tally.first([*names, *outputs])
    good = bool(good and not differ and not missing and tally.pictures > 0)
    if as_json:
        print(json.dumps({"verified": good, "runtime": runtime, "pictures": tally.pictures,
                          "checked": checked, "differ": differ, "first": first,
                          "missing": list(missing), "integer_macs": 1.0, **(facts or {}), "nodes": tally.nodes()}))
        return good
    for name in [*names, *outputs]:
        if tally.differ.get(name):
            print(f"  {name}: {tally.differ[name]} of {tally.checked[name]} differ, by up to "
                  f"{tally.largest[name]:g}")
    for note in notes:
        print(f"  {note}")
    if missing:
        print(f"  not in the file: {', '.join(missing)}")
    said = "the logits" if len(outputs) == 1 else f"{len(outputs)} outputs"
    print(f"{runtime}: {tally.pictures} pictures, {max(len(tally.checked) - len(outputs), 0)} nodes "
          f"and {said}: {differ} of {checked} values differ"
          + (f", first at '{first}'" if first else ""))
    print("100.0 % of the MACs in integers")  # an integer model has no others
    print("verified" if good else "NOT verified")
    return good


def run(kind, stream, as_json):
    """True when all is equal."""
    header = json.loads(stream.readline())
    names, tally = list(shapes_of(header)), Tally()
    runtime = kind(header)
    for x, ours in batches(stream, header):
        compare(tally, ours, runtime.forward(x, ours))
        tally.pictures += size_of(ours)
    if not as_json and runtime.summary():
        print(f"{runtime.name}: {runtime.summary()}")
    outputs = list(outputs_of_net(header))
    missing = [name for name in [*names, *outputs]
               if name not in tally.checked and name not in runtime.codes_in]
    return report(as_json, runtime.name, names, outputs, tally, runtime.good(), runtime.facts(),
                  runtime.notes(), missing)


def listed(counts):
    """3 Conv, 1 Gemm"""
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
