"""Vector code: the only place that knows LLVM's types and intrinsics, and instructions of processors.

A program is a Python function that writes the instructions of a hot loop through a `Code`; kernels call it like any
helper (jit.emitted). Everything but what `Code` does by name is generic LLVM code, right on every processor.
Addresses and counts are 64-bit integers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir

from opconform.runtimes.lite.cpu import Vectors

#: A value of the program that is being written.
Value = Any

F32, I1, I8, I16, I32, I64 = ir.FloatType(), *[ir.IntType(bits) for bits in (1, 8, 16, 32, 64)]
#: Added to a float32, it leaves the nearest integer in the low bits: 1.5 * 2**23.
ROUNDER = 12582912.0


class Code:
    """Writes instructions for one path. `b` is LLVM's builder, for arithmetic and comparisons."""

    def __init__(self, builder: Value, vectors: Vectors) -> None:
        self.b = builder
        self.vectors = vectors
        self.lanes = vectors.lanes
        self._wide = vectors.name.startswith("avx512")

    def number(self, value: int) -> Value:
        """Return an address or count."""
        return ir.Constant(I64, value)

    def at(self, address: Value, index: Value, size: int) -> Value:
        """Return the address of an element."""
        return self.b.add(address, self.b.mul(index, self.number(size)))

    def constant(self, kind: Value, value: float, lanes: int | None = None) -> Value:
        """Return a vector of one number."""
        count = lanes or self.lanes
        return ir.Constant(ir.VectorType(kind, count), [value] * count)

    def scalar(self, address: Value, kind: Value) -> Value:
        """Load one element from any address."""
        return self._load(address, kind, 1)

    def load(self, address: Value, kind: Value, lanes: int | None = None) -> Value:
        """Load a vector from any address."""
        return self._load(address, ir.VectorType(kind, lanes or self.lanes), 1)

    def _load(self, address: Value, kind: Value, align: int) -> Value:
        return self.b.load(self.b.inttoptr(address, kind.as_pointer()), align=align)

    def store(self, value: Value, address: Value) -> None:
        """Store a vector or an element to any address."""
        self.b.store(value, self.b.inttoptr(address, value.type.as_pointer()), align=1)

    def load_first(self, address: Value, count: Value, fill: Value) -> Value:
        """Load the first `count` elements of a vector; the others are those of `fill`."""
        kind = fill.type
        pointer = self.b.inttoptr(address, kind.as_pointer())
        load = self._declare("masked.load", kind, [pointer.type, I32, self._mask_type, kind], self._suffix(kind))
        return self.b.call(load, [pointer, ir.Constant(I32, 1), self._mask(count), fill])

    def store_first(self, value: Value, address: Value, count: Value) -> None:
        """Store the first `count` elements of a vector: none for 0 and below, all from `lanes` on."""
        if self._wide:
            self._store_masked(value, address, count)
        else:
            whole = self.b.icmp_signed(">=", count, self.number(self.lanes))
            self.either(whole, lambda: self.store(value, address), lambda: self._store_masked(value, address, count))

    def _store_masked(self, value: Value, address: Value, count: Value) -> None:
        pointer = self.b.inttoptr(address, value.type.as_pointer())
        arguments = [value.type, pointer.type, I32, self._mask_type]
        store = self._declare("masked.store", ir.VoidType(), arguments, self._suffix(value.type))
        self.b.call(store, [value, pointer, ir.Constant(I32, 1), self._mask(count)])

    def _suffix(self, kind: Value) -> str:
        return f"v{self.lanes}{'f32' if kind.element == F32 else f'i{kind.element.width}'}.p0"

    def either(self, condition: Value, first: Callable[[], None], second: Callable[[], None]) -> None:
        """Write two branches, the first for a true condition."""
        b = self.b
        blocks = [b.append_basic_block(name) for name in ("first", "second", "joined")]
        b.cbranch(condition, *blocks[:2])
        for block, body in zip(blocks, (first, second), strict=False):
            b.position_at_end(block)
            body()
            b.branch(blocks[2])
        b.position_at_end(blocks[2])

    @property
    def _mask_type(self) -> Value:
        return ir.VectorType(I1, self.lanes)

    def _mask(self, count: Value) -> Value:
        places = ir.Constant(ir.VectorType(I32, self.lanes), list(range(self.lanes)))
        return self.b.icmp_signed("<", places, self.splat(self.b.trunc(count, I32)))

    def _declare(self, name: str, result: Value, arguments: Sequence[Value], suffix: str = "") -> Value:
        full = f"llvm.{name}.{suffix}" if suffix else f"llvm.{name}"
        module = self.b.module
        known = module.globals.get(full)
        return known or ir.Function(module, ir.FunctionType(result, arguments), full)

    def _float_call(self, name: str, *values: Value) -> Value:
        kind = values[0].type
        return self.b.call(self._declare(name, kind, [v.type for v in values], f"v{self.lanes}f32"), list(values))

    def splat(self, value: Value, lanes: int | None = None) -> Value:
        """Return a vector of one value."""
        count = lanes or self.lanes
        kind = ir.VectorType(value.type, count)
        first = self.b.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(I32, 0))
        return self.shuffle(first, first, [0] * count)

    def shuffle(self, a: Value, c: Value, order: Sequence[int]) -> Value:
        """Return the chosen elements of two vectors, one behind the other."""
        return self.b.shuffle_vector(a, c, ir.Constant(ir.VectorType(I32, len(order)), list(order)))

    def repeat(self, count: Value, values: Sequence[Value], body: Callable[[Value, list[Value]], list[Value]]) -> Any:
        """Write a loop that runs `count` times; `body` gets the index and the values and returns the next ones."""
        b = self.b
        before, head = b.block, b.append_basic_block("repeat")
        inside, after = b.append_basic_block("body"), b.append_basic_block("after")
        b.branch(head)
        b.position_at_end(head)
        carried = [b.phi(kind) for kind in (I64, *[value.type for value in values])]
        b.cbranch(b.icmp_signed("<", carried[0], count), inside, after)
        b.position_at_end(inside)
        following = [b.add(carried[0], self.number(1)), *body(carried[0], carried[1:])]
        for phi, start, again in zip(carried, (self.number(0), *values), following, strict=True):
            phi.add_incoming(start, before)
            phi.add_incoming(again, b.block)
        b.branch(head)
        b.position_at_end(after)
        return carried[1:]

    def fma(self, a: Value, c: Value, total: Value) -> Value:
        """Return a * c + total of float32, rounded once where the processor can."""
        return self._float_call("fmuladd", a, c, total)

    def minimum(self, value: Value, limit: Value) -> Value:
        """Return the smaller one; NaN where the value is."""
        return self.b.select(self.b.fcmp_ordered(">", value, limit), limit, value)

    def maximum(self, value: Value, limit: Value) -> Value:
        """Return the larger one; NaN where the value is."""
        return self.b.select(self.b.fcmp_ordered("<", value, limit), limit, value)

    def clamp_integer(self, value: Value, low: Value, high: Value) -> Value:
        """Limit int32 to [low, high]."""
        value = self.b.select(self.b.icmp_signed("<", value, low), low, value)
        return self.b.select(self.b.icmp_signed(">", value, high), high, value)

    def nearest(self, value: Value) -> Value:
        """Round float32 to the nearest integer, |value| < 2**22."""
        if self._wide:
            return self._float_call("rint", value)
        rounder = self.constant(F32, ROUNDER)
        return self.b.fsub(self.b.fadd(value, rounder), rounder)

    def times_power(self, value: Value, exponent: Value) -> Value:
        """Return value * 2**exponent for whole exponents of -250 to 250, overflow and denormals included."""
        if self._wide:
            kind = value.type
            scale = self._declare("x86.avx512.mask.scalef.ps.512", kind, [kind, kind, kind, I16, I32])
            return self.b.call(scale, [value, exponent, value, ir.Constant(I16, -1), ir.Constant(I32, 4)])
        whole = ir.VectorType(I32, self.lanes)
        bits = self.b.bitcast(self.b.fadd(exponent, self.constant(F32, ROUNDER)), whole)
        bits = self.b.sub(bits, self.constant(I32, 0x4B400000))
        half = self.b.ashr(bits, self.constant(I32, 1))
        for part in (half, self.b.sub(bits, half)):
            raised = self.b.shl(self.b.add(part, self.constant(I32, 127)), self.constant(I32, 23))
            value = self.b.fmul(value, self.b.bitcast(raised, value.type))
        return value

    def power(self, biased: Value) -> Value:
        """Return 2**n from the float32 ROUNDER + 127 + n, -126 <= n <= 127."""
        bits = self.b.bitcast(biased, ir.VectorType(I32, self.lanes))
        return self.b.bitcast(self.b.shl(bits, self.constant(I32, 23)), biased.type)

    def zero_below(self, value: Value, x: Value, limit: Value) -> Value:
        """Return the value, but 0 where x is below the limit."""
        return self.b.select(self.b.fcmp_ordered("<", x, limit), ir.Constant(value.type, None), value)

    def quotient(self, a: Value, c: Value) -> Value:
        """Return a / c within 2 ulp, for finite c away from zero and from overflow."""
        if not self._wide:
            return self.b.fdiv(a, c)
        kind = a.type
        estimate = self._declare("x86.avx512.rcp14.ps.512", kind, [kind, kind, I16])
        r = self.b.call(estimate, [c, c, ir.Constant(I16, -1)])
        q = self.b.fmul(a, r)  # within 2**-14, and after a Newton step 2**-28 before rounding
        return self.fma(self.fma(self.b.fsub(self.constant(F32, -0.0), c), q, a), r, q)

    def magnitude(self, value: Value) -> Value:
        """Return |value| of float32."""
        return self._float_call("fabs", value)

    def with_sign(self, value: Value, sign: Value) -> Value:
        """Return |value| with the sign of the other."""
        return self._float_call("copysign", value, sign)

    @property
    def one(self) -> Value:
        """The number 1 in float32."""
        return ir.Constant(F32, 1.0)

    def largest(self, value: Value) -> Value:
        """Return the largest float32 of a vector, as a number; NaN may get lost."""
        return self._folded(value, lambda a, c: self.b.select(self.b.fcmp_ordered(">", a, c), a, c))

    def sum(self, value: Value) -> Value:
        """Return the sum of a vector of float32, as a number."""
        return self._folded(value, self.b.fadd)

    def _folded(self, value: Value, join: Callable[[Value, Value], Value]) -> Value:
        width = self.lanes
        while width > 1:
            width //= 2
            value = join(self.shuffle(value, value, range(width)), self.shuffle(value, value, range(width, 2 * width)))
        return self.b.extract_element(value, ir.Constant(I32, 0))

    def dot(self, total: Value, x: Value, w: Value) -> Value:
        """Add to int32 lanes the products of `unit` values each: unsigned times signed bytes, or pairs of int16."""
        if self.vectors.unit == 4:
            kind = total.type
            # as text, since the intrinsic changed its types between versions of LLVM
            multiply = ir.InlineAsm(ir.FunctionType(kind, [kind] * 3), "vpdpbusd $3, $2, $0", "=v,0,v,v")
            return self.b.call(multiply, [total, x, w])
        pairs = ir.VectorType(I16, 2 * self.lanes)
        return self.b.add(total, self.pair_products(self.b.bitcast(x, pairs), self.b.bitcast(w, pairs)))

    def tiles_on(self, config: Value) -> None:
        """Set all tile registers to the shapes in 64 bytes of configuration."""
        self._tile("ldtilecfg", [], [config])

    def tiles_off(self) -> None:
        """Free the tile registers."""
        self.b.call(self._declare("x86.tilerelease", ir.VoidType(), []), [])

    def tile_zero(self, tile: int) -> None:
        """Set a tile register to zeros."""
        self._tile("tilezero", [tile], [])

    def tile_load(self, tile: int, address: Value, pitch: Value) -> None:
        """Load a tile register, row by row."""
        self._tile("tileloadd64", [tile], [address, pitch])

    def tile_store(self, tile: int, address: Value, pitch: Value) -> None:
        """Store a tile register, row by row."""
        self._tile("tilestored64", [tile], [address, pitch])

    def tile_dot(self, total: int, x: int, w: int) -> None:
        """Add the products of four unsigned bytes with four signed ones each to the int32 of a tile."""
        self._tile("tdpbusd", [total, x, w], [])

    def _tile(self, name: str, tiles: Sequence[int], place: Sequence[Value]) -> None:
        given = [ir.Constant(I8, tile) for tile in tiles]
        given += [self.b.inttoptr(address, I8.as_pointer()) for address in place[:1]] + list(place[1:])
        kinds = [value.type for value in given]
        self.b.call(self._declare(f"x86.{name}", ir.VoidType(), kinds), given)

    def pair_products(self, x: Value, w: Value) -> Value:
        """Return x[2i] * w[2i] + x[2i + 1] * w[2i + 1] of int16, as int32."""
        name = {8: "x86.avx2.pmadd.wd", 16: "x86.avx512.pmaddw.d.512"}.get(self.lanes)
        if name:
            return self.b.call(self._declare(name, ir.VectorType(I32, self.lanes), [x.type, w.type]), [x, w])
        wide = ir.VectorType(I32, 2 * self.lanes)
        products = self.b.mul(self.b.sext(x, wide), self.b.sext(w, wide))
        even, odd = range(0, 2 * self.lanes, 2), range(1, 2 * self.lanes, 2)
        return self.b.add(self.shuffle(products, products, even), self.shuffle(products, products, odd))

    def rescaled(self, value: Value, factor: Value, shift: Value) -> Value:
        """Return value * factor * 2**(shift - 31) of int32 with two roundings, as fixedpoint.rescale; |shift| <= 31."""
        b, one, none = self.b, self.constant(I32, 1), self.constant(I32, 0)
        left = b.select(b.icmp_signed(">", shift, none), shift, none)
        right = b.sub(left, shift)
        mask = b.sub(b.shl(one, right), one)
        product = self.high_product(b.shl(value, left), factor)
        # ties away from zero: a negative rest counts from just above one half
        middle = b.sub(b.lshr(mask, one), b.ashr(product, self.constant(I32, 31)))
        up = b.icmp_signed(">", b.and_(product, mask), middle)
        return b.add(b.ashr(product, right), b.zext(up, product.type))

    def high_product(self, x: Value, factor: Value) -> Value:
        """Return round(x * factor / 2**31), ties up, of int32 lanes; even and odd lanes apart in 64 bits."""
        b, wide = self.b, ir.VectorType(I64, self.lanes // 2)
        bits = self.constant(I64, 32, self.lanes // 2)
        half = self.constant(I64, 1 << 30, self.lanes // 2)

        def parts(value: Value) -> tuple[Value, Value]:
            joined = b.bitcast(value, wide)
            return b.ashr(b.shl(joined, bits), bits), b.ashr(joined, bits)

        (x_even, x_odd), (f_even, f_odd) = parts(x), parts(factor)
        even = b.lshr(b.add(b.mul(x_even, f_even), half), self.constant(I64, 31, self.lanes // 2))
        odd = b.shl(b.add(b.mul(x_odd, f_odd), half), self.constant(I64, 1, self.lanes // 2))
        order = [lane if lane % 2 == 0 else self.lanes + lane for lane in range(self.lanes)]
        return self.shuffle(b.bitcast(even, x.type), b.bitcast(odd, x.type), order)


class Many:
    """A Code for several vectors side by side: operands are lists, or one value for all of them.

    Instructions come one for each vector in turn, so that the processor has others to start while one waits.
    """

    def __init__(self, code: Code) -> None:
        self._code = code

    def constant(self, value: float) -> Value:
        """Return a vector of one float32, for all."""
        return self._code.constant(F32, value)

    def __getattr__(self, name: str) -> Callable[..., list[Value]]:
        write = getattr(self._code, name, None) or getattr(self._code.b, name)

        def each(*operands: Value) -> list[Value]:
            count = max(len(operand) for operand in operands if isinstance(operand, list))
            lists = [operand if isinstance(operand, list) else [operand] * count for operand in operands]
            return [write(*parts) for parts in zip(*lists, strict=True)]

        return each


def caller_module(name: str, most: int) -> str:
    """Return a module with a function that calls kernels one after the other, in LLVM's language.

    Its argument is the address of 64-bit words: address of a kernel, number of its arguments, the arguments, and so on;
    0 at the end. At most `most` arguments. Each kernel has two more in front, numba's places of result and exception.
    """
    module = ir.Module(name)
    pointer = I8.as_pointer()
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [pointer]), name)
    b = ir.IRBuilder(function.append_basic_block())
    nowhere = b.ptrtoint(b.alloca(ir.ArrayType(I64, 8)), I64)
    start, head, end = b.ptrtoint(function.args[0], I64), b.append_basic_block(), b.append_basic_block()
    before = b.block
    b.branch(head)
    b.position_at_end(head)
    at = b.phi(I64)
    at.add_incoming(start, before)

    def word(index: int) -> Value:
        return b.load(b.inttoptr(b.add(at, ir.Constant(I64, 8 * index)), I64.as_pointer()))

    kernel, count = word(0), word(1)
    choose = b.switch(count, end)
    with b.goto_block(end):
        b.ret_void()
    for arity in range(1, most + 1):
        block = b.append_basic_block()
        choose.add_case(ir.Constant(I64, arity), block)
        b.position_at_end(block)
        kind = ir.FunctionType(I32, [I64] * (arity + 2))
        b.call(b.inttoptr(kernel, kind.as_pointer()), [nowhere, nowhere, *[word(2 + n) for n in range(arity)]])
        at.add_incoming(b.add(at, ir.Constant(I64, 8 * (arity + 2))), block)
        b.branch(head)
    return str(module)
