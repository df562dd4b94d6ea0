"""Four numbers in one vector register, as a type that compiled functions compute with.

The compiler finds vectors in loops over neighbouring cells by itself, but then loads each cell several times, once
for every neighbour that needs it. Where the four numbers belong to four roads instead, the neighbours upstream and
downstream are the vectors before and after, and what one cell needs of the last one stays in a register.

Operations are elementwise and rounded one by one, as for scalars: results do not depend on the processor. LLVM
splits the vectors where a processor has shorter ones. :func:`least`, :func:`greatest` and :func:`above` take scalars
or vectors, so that a formula is written once for both.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core.errors import TypingError
from numba.extending import intrinsic, models, overload, register_model

LANES = 4
"""Numbers in a vector: four doubles fill a register of 256 bits, and an intersection has four roads."""


class Vector(types.Type):
    """Numba's type of a vector of floating-point numbers."""

    def __init__(self, dtype: types.Float) -> None:
        self.dtype = dtype
        super().__init__(name=f"Vector({dtype})")


@register_model(Vector)
class _Model(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Vector) -> None:
        element = ir.DoubleType() if kind.dtype == types.float64 else ir.FloatType()
        super().__init__(manager, kind, ir.VectorType(element, LANES))  # type: ignore[no-untyped-call]


def least(a: Any, b: Any) -> Any:
    """Return the lesser of two scalars, or of each pair in two vectors.

    >>> least(1.0, 2.0)
    1.0
    """
    return a if a < b else b


def greatest(a: Any, b: Any) -> Any:
    """Return the greater of two scalars, or of each pair in two vectors.

    >>> greatest(1.0, 2.0)
    2.0
    """
    return a if a > b else b


def above(a: Any, b: Any, then: Any, otherwise: Any) -> Any:
    """Return ``then`` where a > b, else ``otherwise``.

    >>> above(1.0, 2.0, 3.0, 4.0)
    4.0
    """
    return then if a > b else otherwise


def _operation(build: Callable[[Any, list[Any]], Any], count: int) -> Any:
    def typed(context: Any, *kinds: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, values: list[Any]) -> Any:
            return build(builder, values)

        return kinds[-1](*kinds), generate

    if count == 2:
        return intrinsic(lambda context, a, b: typed(context, a, b))
    return intrinsic(lambda context, a, b, then, otherwise: typed(context, a, b, then, otherwise))


def _chosen(sign: str) -> Callable[[Any, list[Any]], Any]:
    return lambda builder, values: builder.select(builder.fcmp_ordered(sign, values[0], values[1]), *values[-2:])


_add = _operation(lambda builder, values: builder.fadd(*values), 2)
_subtract = _operation(lambda builder, values: builder.fsub(*values), 2)
_multiply = _operation(lambda builder, values: builder.fmul(*values), 2)
_divide = _operation(lambda builder, values: builder.fdiv(*values), 2)
_least, _greatest = _operation(_chosen("<"), 2), _operation(_chosen(">"), 2)
_above = _operation(_chosen(">"), 4)


def _both(a: Any, b: Any) -> bool:
    return isinstance(a, Vector) and a == b


def _for_pairs(function: Any, vectors: Any, scalars: Any = None) -> None:
    @overload(function)
    def choose(a, b):  # type: ignore[no-untyped-def]  # Numba wants the signature of the lambda
        return (lambda a, b: vectors(a, b)) if _both(a, b) else scalars


_for_pairs(operator.add, _add)
_for_pairs(operator.sub, _subtract)
_for_pairs(operator.mul, _multiply)
_for_pairs(operator.truediv, _divide)
_for_pairs(least, _least, lambda a, b: a if a < b else b)
_for_pairs(greatest, _greatest, lambda a, b: a if a > b else b)


@overload(above)
def _overload_above(a, b, then, otherwise):  # type: ignore[no-untyped-def]
    if _both(a, b) and _both(then, otherwise) and a == then:
        return lambda a, b, then, otherwise: _above(a, b, then, otherwise)
    return lambda a, b, then, otherwise: then if a > b else otherwise


def _spread(context: Any, scalar: Any) -> Any:
    several = isinstance(scalar, types.UniTuple)
    one = Vector(scalar.dtype if several else scalar)

    def generate(context: Any, builder: Any, signature: Any, values: list[Any]) -> Any:
        def widen(value: Any) -> Any:
            result = ir.Constant(context.get_value_type(one), ir.Undefined)
            for lane in range(LANES):
                result = builder.insert_element(result, value, ir.Constant(ir.IntType(32), lane))
            return result

        if not several:
            return widen(values[0])
        parts = [widen(builder.extract_value(values[0], at)) for at in range(scalar.count)]
        return context.make_tuple(builder, signature.return_type, parts)

    result = types.UniTuple(one, scalar.count) if several else one  # type: ignore[no-untyped-call]
    return result(scalar), generate


def _check(array: Any, vector: Any) -> None:
    if array.layout != "C" or vector != Vector(array.dtype):
        raise TypingError("Vectors are loaded from contiguous arrays of their own type, and stored there.")


def _pointer(context: Any, builder: Any, kind: Any, array: Any, at: Any) -> Any:
    start = builder.gep(context.make_array(kind)(context, builder, array).data, [at])
    return builder.bitcast(start, ir.VectorType(start.type.pointee, LANES).as_pointer())


def _load(context: Any, array: Any, at: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, values: list[Any]) -> Any:
        where = _pointer(context, builder, signature.args[0], *values)
        return builder.load(where, align=array.dtype.bitwidth // 8)

    _check(array, Vector(array.dtype))
    return Vector(array.dtype)(array, types.intp), generate


def _store(context: Any, array: Any, at: Any, vector: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, values: list[Any]) -> Any:
        where = _pointer(context, builder, signature.args[0], *values[:2])
        builder.store(values[2], where, align=array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    _check(array, vector)
    return types.void(array, types.intp, vector), generate


spread: Any = intrinsic(_spread)
"""Return a vector that holds a scalar four times, or a tuple of them for a tuple of scalars."""
load: Any = intrinsic(_load)
"""Return the four numbers of a contiguous array that begin with the one at a flat index."""
store: Any = intrinsic(_store)
"""Write four numbers into a contiguous array, from a flat index on."""
SCALARS = (least, greatest, above)
"""What works on scalars too, without any compiler."""
