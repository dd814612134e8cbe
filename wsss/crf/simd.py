"""Eight float32 numbers at a time inside numba kernels, for the dense CRF (Sec. 4.2).

Numba vectorises neither straight-line code nor loops as short as the channels of a lattice vertex.
Here a value of type `LANES` is one LLVM vector, which becomes one AVX register or two of SSE or
NEON, so that a kernel that is written with these functions is vectorised everywhere. The
functions below are called from compiled code only; arrays are two-dimensional float32, their rows
a multiple of `WIDTH` long.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable

WIDTH = 8

_intrinsic: Callable[..., Any] = intrinsic  # a type checker misreads the decorator itself
_FLOAT, _INT = ir.FloatType(), ir.IntType(32)
_FLOATS, _INTS = ir.VectorType(_FLOAT, WIDTH), ir.VectorType(_INT, WIDTH)
_ROUND = 1.5 * 2.0**23  # adding this float32 rounds to an integer, which its low bits then hold
_LN2_HIGH = 0.693359375  # ln 2 in few bits: times a small integer it is exact
_SMALLEST = -80.0  # exp of this is still no denormal, nor is it after a weight


class Lanes(types.Type):
    """Numba's type of a vector of `WIDTH` float32 numbers."""

    def __init__(self) -> None:
        super().__init__(name=f"Lanes({WIDTH})")


LANES = Lanes()


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: types.Type) -> None:
        super().__init__(manager, kind, _FLOATS)


def _constant(number: float) -> ir.Constant:
    return ir.Constant(_FLOATS, [number] * WIDTH)


def _call(builder: Any, name: str, result: ir.Type, *args: Any, **flags: Any) -> Any:
    """Call an LLVM intrinsic that is overloaded on the vector type."""
    kind = ir.FunctionType(result, [arg.type for arg in args])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.v{WIDTH}f32")
    return builder.call(function, args, **flags)


def _muladd(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """Compute a * b + c, fused where the processor can."""
    return _call(builder, "fmuladd", _FLOATS, a, b, c)


def _broadcast(builder: Any, number: Any) -> Any:
    nothing = ir.Constant(_FLOATS, ir.Undefined)
    first = builder.insert_element(nothing, number, ir.Constant(_INT, 0))
    return builder.shuffle_vector(first, nothing, ir.Constant(_INTS, [0] * WIDTH))


def _rows(context: Any, builder: Any, kind: Any, array: Any, column: Any) -> Callable[[Any], Any]:
    """Make a function from a row's number to the pointer at its column."""
    array = context.make_array(kind)(context, builder, array)
    stride = cgutils.unpack_tuple(builder, array.strides)[0]
    start = builder.bitcast(builder.gep(array.data, [column]), ir.IntType(8).as_pointer())

    def pointer(row: Any) -> Any:
        offset = builder.mul(builder.sext(row, stride.type), stride)
        return builder.bitcast(builder.gep(start, [offset]), _FLOATS.as_pointer())

    return pointer


@_intrinsic
def lanes(_context, number):
    """Put a number into every lane."""

    def emit(context, builder, signature, args):
        number = context.cast(builder, args[0], signature.args[0], types.float32)
        return _broadcast(builder, number)

    return LANES(number), emit


@_intrinsic
def load(_context, array, row, column):
    """Read array[row, column : column + WIDTH]."""

    def emit(context, builder, signature, args):
        pointer = _rows(context, builder, array, args[0], args[2])
        return builder.load(pointer(args[1]), align=4)

    return LANES(array, types.intp, types.intp), emit


@_intrinsic
def store(_context, array, row, column, value):
    """Write array[row, column : column + WIDTH]."""

    def emit(context, builder, signature, args):
        pointer = _rows(context, builder, array, args[0], args[2])
        builder.store(args[3], pointer(args[1]), align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp, LANES), emit


@_intrinsic(prefer_literal=True)
def row_tuple(_context, array, row, count):
    """Read array[row], of constant length `count`, into a tuple, which stays in registers."""

    def emit(context, builder, signature, args):
        data = context.make_array(array)(context, builder, args[0]).data
        columns = builder.mul(args[1], context.get_constant(types.intp, count.literal_value))
        place = builder.gep(data, [columns])
        indices = (context.get_constant(types.intp, i) for i in range(count.literal_value))
        numbers = [builder.load(builder.gep(place, [i])) for i in indices]
        return context.make_tuple(builder, signature.return_type, numbers)

    return types.UniTuple(array.dtype, count.literal_value)(array, types.intp, count), emit


@_intrinsic
def gather(_context, array, rows, weights, column):
    """Add up weight * array[row, column : column + WIDTH] over a tuple of rows."""

    def emit(context, builder, signature, args):
        pointer = _rows(context, builder, array, args[0], args[3])
        sums = [_constant(0), _constant(0)]  # two, so that one addition need not await the other
        terms = zip(*(cgutils.unpack_tuple(builder, arg) for arg in args[1:3]), strict=True)
        for i, (row, weight) in enumerate(terms):
            value = builder.load(pointer(row), align=4)
            sums[i % 2] = _muladd(builder, value, _broadcast(builder, weight), sums[i % 2])
        return builder.fadd(*sums)

    return LANES(array, rows, weights, types.intp), emit


@_intrinsic
def scatter(_context, array, rows, weights, column, value):
    """Add weight * value to array[row, column : column + WIDTH] for each of a tuple of rows."""

    def emit(context, builder, signature, args):
        pointer = _rows(context, builder, array, args[0], args[3])
        terms = zip(*(cgutils.unpack_tuple(builder, arg) for arg in args[1:3]), strict=True)
        for row, weight in terms:
            place = pointer(row)
            before = builder.load(place, align=4)
            after = _muladd(builder, args[4], _broadcast(builder, weight), before)
            builder.store(after, place, align=4)
        return context.get_dummy_value()

    return types.void(array, rows, weights, types.intp, LANES), emit


@_intrinsic
def nearest(_context, value):
    """Round to the nearest integer, halves to even."""

    def emit(_context, builder, _signature, args):
        return _call(builder, "rint", _FLOATS, args[0])

    return LANES(LANES), emit


@_intrinsic
def exp(_context, value):
    """Exponentiate what is at most 80; what lies below -80 counts as -80.

    2^n exp(r) with n = round(x / ln 2), exp(r) by its Taylor series: |r| < 0.35 makes the rest
    after the seventh power 5e-9. The error is about one unit in the last place.
    """

    def emit(_context, builder, _signature, args):
        low = _constant(_SMALLEST)
        x = builder.select(builder.fcmp_ordered(">", args[0], low), args[0], low)
        shifted = _muladd(builder, x, _constant(1 / math.log(2)), _constant(_ROUND))
        n = builder.fsub(shifted, _constant(_ROUND))
        r = _muladd(builder, n, _constant(-_LN2_HIGH), x)
        r = _muladd(builder, n, _constant(_LN2_HIGH - math.log(2)), r)
        terms = [_constant(1 / math.factorial(power)) for power in range(8)]
        while len(terms) > 1:  # in pairs (Estrin): a chain of 3 steps in place of 7
            pairs = zip(terms[::2], terms[1::2], strict=True)
            terms = [_muladd(builder, high, r, low) for low, high in pairs]
            r = builder.fmul(r, r)
        exponent = builder.shl(builder.bitcast(shifted, _INTS), ir.Constant(_INTS, [23] * WIDTH))
        return builder.bitcast(builder.add(builder.bitcast(terms[0], _INTS), exponent), _FLOATS)

    return LANES(LANES), emit


@_intrinsic
def lane_sum(_context, value):
    """Add up the lanes, from the first to the last: sums do not depend on where lanes lie."""

    def emit(_context, builder, _signature, args):
        zero = ir.Constant(_FLOAT, 0.0)
        return _call(builder, "vector.reduce.fadd", _FLOAT, zero, args[0])

    return types.float32(LANES), emit


@_intrinsic
def lane_max(_context, value):
    """Take the largest lane."""

    def emit(_context, builder, _signature, args):
        return _call(builder, "vector.reduce.fmax", _FLOAT, args[0], fastmath=("nnan",))

    return types.float32(LANES), emit


def _operator(function: Callable[..., Any], emit: Callable[..., Any]) -> None:
    """Teach numba a lane-wise operator."""

    @type_callable(function)
    def _(_context):
        def typer(a, b):
            return LANES if a == b == LANES else None

        return typer

    @lower_builtin(function, LANES, LANES)
    def _(_context, builder, _signature, args):
        return emit(builder, *args)


_operator(operator.add, lambda builder, a, b: builder.fadd(a, b))
_operator(operator.sub, lambda builder, a, b: builder.fsub(a, b))
_operator(operator.mul, lambda builder, a, b: builder.fmul(a, b))
_operator(operator.truediv, lambda builder, a, b: builder.fdiv(a, b))
_operator(max, lambda builder, a, b: builder.select(builder.fcmp_ordered(">", a, b), a, b))
# 1.0 where it holds, 0.0 where not
_operator(
    operator.lt,
    lambda builder, a, b: builder.select(
        builder.fcmp_ordered("<", a, b), _constant(1), _constant(0)
    ),
)
