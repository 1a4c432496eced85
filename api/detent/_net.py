# SPDX-License-Identifier: Apache-2.0
"""Networks in memory."""
import os
from collections.abc import Mapping
from ctypes import POINTER, byref, c_float, c_int, c_int64, c_void_p

import numpy

from ._library import Error, check, collect, library
from ._source import overrides_of, source_of


class Net:
    """A network: of a checkpoint, of a recipe (a path, or a dictionary) with model.init, or of an .onnx
    file. It belongs to one thread at a time.

    `input_shape` is that of a sample, (H, W, C) of pictures, `outputs` how many numbers it gives for
    each, `source` what it was made of. `input_shapes` and `output_shapes` have the shapes of a sample by
    the names of inputs and outputs; of several inputs `input_shape` is that of all their numbers."""

    def __init__(self, source, *, overrides=None, threads=0):
        self._net = c_void_p()
        self.source = source
        check(library.detent_net_open, source_of(source), byref(overrides_of(overrides)), threads,
              byref(self._net))
        sizes = (c_int64 * 4)()
        library.detent_net_sizes(self._net, sizes)
        self.outputs = sizes[3]
        self.input_shapes, self.output_shapes = self._ports(0), self._ports(1)
        shapes = list(self.input_shapes.values())
        self.input_shape = shapes[0] if len(shapes) == 1 else (sum(int(numpy.prod(s)) for s in shapes),)

    def _open(self):
        if not self._net:
            raise ValueError("the network is closed")
        return self._net

    def _ports(self, output):
        found, dims, rank = {}, (c_int64 * 8)(), c_int()
        while name := library.detent_net_port(self._net, output, len(found), dims, byref(rank)):
            found[name.decode()] = tuple(dims[:rank.value])
        return found

    def _record(self, x):
        """Samples of several inputs as rows, one input behind the other."""
        for name in x:
            if name not in self.input_shapes:
                raise Error(f"{name}: is no input of the network, whose are: {', '.join(self.input_shapes)}")
        parts = []
        for name, shape in self.input_shapes.items():
            if name not in x:
                raise Error(f"{name}: is an input of the network that is not given")
            part = numpy.asarray(x[name], dtype=numpy.float32)
            if part.shape[1:] != shape:
                raise Error(f"{name}: {list(part.shape)} is no batch of {list(shape)}")
            if parts and len(part) != len(parts[0]):
                raise Error(f"{name}: has {len(part)} samples, the input before it {len(parts[0])}")
            parts.append(part.reshape(len(part), -1) if len(self.input_shapes) > 1 else part)
        return numpy.concatenate(parts, 1) if len(parts) > 1 else parts[0]

    def forward(self, x):
        """Outputs [N, outputs] of pictures [N, H, W, C], or of other samples [N, ...], normalised as for
        training. A network with several outputs gives a dictionary of them by name. `x` may be a dictionary
        of arrays by the names of inputs, and is one where there are several."""
        if isinstance(x, Mapping):
            x = self._record(x)
        elif len(self.input_shapes) > 1:
            raise Error(f"x: the network has several inputs, by name: {', '.join(self.input_shapes)}")
        x = numpy.ascontiguousarray(x, dtype=numpy.float32)
        if x.shape[1:] != self.input_shape:
            raise Error(f"x: {list(x.shape)} is no batch of {list(self.input_shape)}")
        out = numpy.empty((x.shape[0], self.outputs), dtype=numpy.float32)
        check(library.detent_net_forward, self._open(), x.ctypes.data, x.shape[0], out.ctypes.data)
        if len(self.output_shapes) == 1:
            return out
        ends = numpy.cumsum([int(numpy.prod(shape)) for shape in self.output_shapes.values()])
        return dict(zip(self.output_shapes, (part.copy() for part in numpy.split(out, ends[:-1], 1))))

    def __call__(self, x):
        """The same as forward."""
        return self.forward(x)

    def weights(self):
        """{name: array} of copies: parameters, statistics and state of quantizers. Convolutions are
        [O, KH, KW, I], linear layers [O, I]."""
        return {name: array.copy() for name, array in self._tensors().items()}

    def set_weights(self, values):
        """Numbers for some of them, by name; the next forward pass has them."""
        tensors = self._tensors()
        for name, value in values.items():
            if name not in tensors:
                raise Error(f"{name}: the network has no such tensor")
            value = numpy.asarray(value, dtype=numpy.float32)
            if value.shape != tensors[name].shape:
                raise Error(f"{name}: {list(value.shape)} is not {list(tensors[name].shape)}")
            tensors[name][...] = value

    def grids(self):
        """What codes mean, by the name of their site: {"signed", "low", "high", "zero_point", "scale"},
        of uneven levels also "levels". value = scale * (code - zero_point), or scale * level;
        scale is an array with one number for each group (a channel of weights, or all)."""
        found = {}
        for event in collect(library.detent_net_grids, self._open()):
            event.pop("kind")
            event["scale"] = numpy.array(event["scale"], dtype=numpy.float32)
            found[event.pop("site")] = event
        return found

    def export(self, format, path):
        """Writes it for another runtime; `detent list exporters` tells the formats."""
        check(library.detent_net_export, self._open(), format.encode(), os.fsencode(path))

    def _tensors(self):
        """Views of the library's memory."""
        found, dims, rank, data = {}, (c_int64 * 8)(), c_int(), POINTER(c_float)()
        for i in range(library.detent_net_count(self._open())):
            name = library.detent_net_tensor(self._net, i, dims, byref(rank), byref(data))
            shape = tuple(dims[:rank.value]) or (1,)
            found[name.decode()] = numpy.ctypeslib.as_array(data, shape)
        return found

    def close(self):
        """Gives its memory back; a closed network cannot be used."""
        if self._net:
            library.detent_net_close(self._net)
            self._net = c_void_p()

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.close()

    def __del__(self):
        if getattr(self, "_net", None):
            self.close()
