"""Vectors of 16 float32 values in compiled functions, for arithmetic that must stay in registers.

LLVM converts most loops over 16 lanes to such vectors by itself. It does not if a product has several sums at
once, or if it cannot see that reads and writes do not overlap. Here a vector is a value like a number: one
register of 512 bits, two of 256 or four of 128, depending on the processor.

>>> @compiled
... def scale(x, factor):
...     for i in range(0, len(x), 16):
...         store(x, i, load(x, i) * splat(factor))
"""

# mypy: allow-untyped-calls

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Final, cast

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.core.datamodel.models import PrimitiveModel
from numba.core.typing.templates import ConcreteTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, register_model

WIDTH: Final = 16
_QUARTER: Final = WIDTH // 4

_FLAGS: Final = ("contract", "nsz", "nnan", "ninf", "arcp")
_VECTOR: Final = ir.VectorType(ir.FloatType(), WIDTH)
_UNDEFINED: Final = ir.Constant(_VECTOR, ir.Undefined)
_FLOAT_BYTES: Final = 4


class Float32x16(types.Type):
    """The type of a vector in compiled functions."""

    def __init__(self) -> None:
        super().__init__(name="float32x16")


_TYPE: Final = Float32x16()


@register_model(Float32x16)
class _Model(PrimitiveModel):
    def __init__(self, manager: Any, type_: Any) -> None:
        super().__init__(manager, type_, _VECTOR)


def _define(operation: Any, instruction: str) -> None:
    """Define an operator on vectors, lane by lane."""
    cases = {"cases": [signature(_TYPE, _TYPE, _TYPE)]}
    infer_global(operation)(type(f"_{instruction}", (ConcreteTemplate,), cases))

    def lower(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return getattr(builder, instruction)(*arguments, flags=_FLAGS)

    lower_builtin(operation, _TYPE, _TYPE)(lower)


_define(operator.add, "fadd")
_define(operator.iadd, "fadd")
_define(operator.sub, "fsub")
_define(operator.mul, "fmul")


def _address(context: Any, builder: Any, signature_: Any, arguments: Any) -> Any:
    array = context.make_array(signature_.args[0])(context, builder, arguments[0])
    index = context.cast(builder, arguments[1], signature_.args[1], types.intp)
    return builder.bitcast(builder.gep(array.data, [index]), _VECTOR.as_pointer())


def _shuffled(builder: Any, vector: Any, lanes: list[int]) -> Any:
    return builder.shuffle_vector(vector, _UNDEFINED, ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), lanes))


def _spread(builder: Any, value: Any) -> Any:
    first = builder.insert_element(_UNDEFINED, value, ir.Constant(ir.IntType(32), 0))
    return _shuffled(builder, first, [0] * WIDTH)


def _is_flat(array: Any) -> bool:
    return isinstance(array, types.Array) and (array.dtype, array.ndim, array.layout) == (types.float32, 1, "C")


def _builtin(function: Callable[..., Any]) -> Callable[..., Any]:
    return cast("Callable[..., Any]", intrinsic(function))


@_builtin
def load(_typing: Any, array: Any, index: Any) -> Any:
    """Read 16 values of a contiguous float32 array from an index on. Bounds are not checked."""

    def lower(context: Any, builder: Any, signature_: Any, arguments: Any) -> Any:
        return builder.load(_address(context, builder, signature_, arguments), align=_FLOAT_BYTES)

    return (_TYPE(array, index), lower) if _is_flat(array) else None


@_builtin
def store(_typing: Any, array: Any, index: Any, vector: Any) -> Any:
    """Write 16 values to a contiguous float32 array from an index on. Bounds are not checked."""

    def lower(context: Any, builder: Any, signature_: Any, arguments: Any) -> Any:
        builder.store(arguments[2], _address(context, builder, signature_, arguments), align=_FLOAT_BYTES)
        return context.get_dummy_value()

    return (types.none(array, index, vector), lower) if _is_flat(array) and vector == _TYPE else None


@_builtin
def store_quarter(_typing: Any, array: Any, index: Any, vector: Any) -> Any:
    """Write the first 4 values to a contiguous float32 array from an index on. Bounds are not checked."""

    def lower(context: Any, builder: Any, signature_: Any, arguments: Any) -> Any:
        lanes = ir.Constant(ir.VectorType(ir.IntType(32), _QUARTER), list(range(_QUARTER)))
        first = builder.shuffle_vector(arguments[2], _UNDEFINED, lanes)
        address = builder.bitcast(_address(context, builder, signature_, arguments), first.type.as_pointer())
        builder.store(first, address, align=_FLOAT_BYTES)
        return context.get_dummy_value()

    return (types.none(array, index, vector), lower) if _is_flat(array) and vector == _TYPE else None


@_builtin
def splat(_typing: Any, value: Any) -> Any:
    """Return a vector with 16 times the same float32."""

    def lower(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return _spread(builder, arguments[0])

    return (_TYPE(types.float32), lower) if value == types.float32 else None


@_builtin
def times(_typing: Any, columns: Any, values: Any, first: Any, stride: Any) -> Any:
    """Multiply a matrix of 16 columns of 16 rows, stored flat, with 16 values. Bounds are not checked.

    The values are at the indices ``first``, ``first + stride``, … of a contiguous float32 array. The loop over the
    columns is unrolled here, because LLVM does not, and would compute lanes that are not used.
    """

    def lower(context: Any, builder: Any, signature_: Any, arguments: Any) -> Any:
        matrix, array = (
            context.make_array(kind)(context, builder, of).data
            for kind, of in zip(signature_.args[:2], arguments[:2], strict=True)
        )
        first, stride = (
            context.cast(builder, of, kind, types.intp)
            for kind, of in zip(signature_.args[2:], arguments[2:], strict=True)
        )
        total = None
        for number in range(WIDTH):
            at = ir.Constant(first.type, number * WIDTH)
            column = builder.load(
                builder.bitcast(builder.gep(matrix, [at]), _VECTOR.as_pointer()), align=_FLOAT_BYTES
            )
            product = builder.fmul(
                column, _spread(builder, builder.load(builder.gep(array, [first]))), flags=_FLAGS
            )
            total = product if total is None else builder.fadd(total, product, flags=_FLAGS)
            first = builder.add(first, stride)
        return total

    is_sound = _is_flat(columns) and _is_flat(values)
    return (_TYPE(columns, values, first, stride), lower) if is_sound else None


@_builtin
def flipped(_typing: Any, vector: Any) -> Any:
    """Reverse the order of the lanes."""

    def lower(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return _shuffled(builder, arguments[0], list(range(WIDTH))[::-1])

    return (_TYPE(vector), lower) if vector == _TYPE else None


@_builtin
def square_root(_typing: Any, vector: Any) -> Any:
    """Take the square root of each lane."""

    def lower(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        name = f"llvm.sqrt.v{WIDTH}f32"
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(_VECTOR, [_VECTOR]), name)
        return builder.call(function, arguments)

    return (_TYPE(vector), lower) if vector == _TYPE else None


@_builtin
def above(_typing: Any, vector: Any, other: Any) -> Any:
    """Return one bit per lane: 1 if the first vector is larger. The lowest bit is the first lane."""

    def lower(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        lanes = builder.fcmp_ordered(">", *arguments)
        return builder.zext(builder.bitcast(lanes, ir.IntType(WIDTH)), ir.IntType(64))

    return (types.int64(vector, other), lower) if vector == other == _TYPE else None


@_builtin
def first_lane(_typing: Any, lanes: Any) -> Any:
    """Return the number of the lowest set bit. At least one bit must be set."""

    def lower(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return (types.int64(lanes), lower) if lanes == types.int64 else None
