# SPDX-License-Identifier: Apache-2.0
"""Networks in memory."""
import os
from ctypes import POINTER, byref, c_float, c_int, c_int64, c_void_p

import numpy

from ._library import Error, check, collect, library
from ._source import overrides_of, source_of


class Net:
    """A network: of a checkpoint, of a recipe (a path, or a dictionary) with model.init, or of an .onnx
    file. It belongs to one thread at a time.

    `input_shape` is that of a sample, (H, W, C) of pictures, `outputs` how many numbers it gives for
    each, `source` what it was made of."""

    def __init__(self, source, *, overrides=None, threads=0):
        self._net = c_void_p()
        self.source = source
        check(library.detent_net_open, source_of(source), byref(overrides_of(overrides)), threads,
              byref(self._net))
        sizes = (c_int64 * 4)()
        library.detent_net_sizes(self._net, sizes)
        self.outputs = sizes[3]
        rank = library.detent_net_shape(self._net, sizes)
        self.input_shape = tuple(sizes[:rank])

    def _open(self):
        if not self._net:
            raise ValueError("the network is closed")
        return self._net

    def forward(self, x):
        """Outputs [N, outputs] of pictures [N, H, W, C], or of other samples [N, ...], normalised as for
        training."""
        x = numpy.ascontiguousarray(x, dtype=numpy.float32)
        if x.shape[1:] != self.input_shape:
            raise Error(f"x: {list(x.shape)} is no batch of {list(self.input_shape)}")
        out = numpy.empty((x.shape[0], self.outputs), dtype=numpy.float32)
        check(library.detent_net_forward, self._open(), x.ctypes.data, x.shape[0], out.ctypes.data)
        return out

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
        found, dims, rank, data = {}, (c_int64 * 4)(), c_int(), POINTER(c_float)()
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
