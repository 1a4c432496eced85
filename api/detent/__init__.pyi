from collections.abc import Callable, Iterable, Iterator, Mapping
from os import PathLike
from types import TracebackType
from typing import Any, TypeAlias

import numpy
import numpy.typing

__all__ = ["Data", "Error", "Net", "evaluate", "export", "from_torch", "quantize", "train", "version"]

_Path: TypeAlias = str | PathLike[str]
_Recipe: TypeAlias = _Path | dict[str, Any]
_Named: TypeAlias = Mapping[str, numpy.typing.ArrayLike]
_Part: TypeAlias = numpy.typing.ArrayLike | _Named
_Samples: TypeAlias = numpy.ndarray | _Named | tuple[_Part, _Part] | Iterable[Any]
_Outputs: TypeAlias = numpy.typing.NDArray[numpy.float32] | dict[str, numpy.typing.NDArray[numpy.float32]]
_Event: TypeAlias = dict[str, Any]

version: str

class Error(Exception): ...

class Data:
    folder: str
    options: dict[str, Any]
    count: dict[str, int]
    def __init__(self, train: _Samples | None = None, test: _Samples | None = None, *,
                 folder: _Path | None = None, normalize: str | Mapping[str, Any] | None = None,
                 **options: Any) -> None: ...

def train(recipe: _Recipe, folder: _Path, *, data: Data | None = None,
          overrides: Mapping[str, Any] | None = None, threads: int = 0,
          resume: bool = False) -> Iterator[_Event]: ...
def evaluate(source: _Recipe, *, data: Data | None = None, overrides: Mapping[str, Any] | None = None,
             threads: int = 0) -> dict[str, Any]: ...
def quantize(source: _Recipe | Net, folder: _Path, *, data: Data | _Path | None = None,
             normalize: str | Mapping[str, Any] | None = None, bits: int | str | None = None,
             method: str | None = None, overrides: Mapping[str, Any] | None = None, threads: int = 0,
             resume: bool = False, on_event: Callable[[_Event], object] | None = None) -> dict[str, Any]: ...
def export(source: _Recipe, path: _Path, format: str = "onnx", *,
           overrides: Mapping[str, Any] | None = None, threads: int = 0) -> None: ...
def from_torch(module: Any, example: Any, path: _Path | None = None, *, threads: int = 0) -> Net: ...

class Net:
    source: _Recipe
    input_shape: tuple[int, ...]
    outputs: int
    input_shapes: dict[str, tuple[int, ...]]
    output_shapes: dict[str, tuple[int, ...]]
    def __init__(self, source: _Recipe, *, overrides: Mapping[str, Any] | None = None,
                 threads: int = 0) -> None: ...
    def forward(self, x: _Part) -> _Outputs: ...
    def __call__(self, x: _Part) -> _Outputs: ...
    def weights(self) -> dict[str, numpy.typing.NDArray[numpy.float32]]: ...
    def set_weights(self, values: Mapping[str, numpy.typing.ArrayLike]) -> None: ...
    def grids(self) -> dict[str, dict[str, Any]]: ...
    def export(self, format: str, path: _Path) -> None: ...
    def close(self) -> None: ...
    def __enter__(self) -> Net: ...
    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None: ...
