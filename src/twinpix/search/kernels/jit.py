"""What compiled loops are made with: the compiler, and the instructions that Python has no word for."""

import platform
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import config, njit, types
from numba.core.codegen import get_host_cpu_features
from numba.extending import intrinsic


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile at the first call; what was compiled is kept where a folder for it can be written."""

    def decorate(function: Callable[..., Any]) -> Any:
        try:
            return njit(nogil=True, cache=True, **options)(function)
        except RuntimeError:  # no such folder
            return njit(nogil=True, **options)(function)

    return decorate


def reads_halves() -> bool:
    """Whether compiled loops may read numbers of half precision.

    Where a processor has no instruction for it (of the usual ones those before 2012, and simple virtual ones), the
    compiler asks for a function that is not there, and ends the process.
    """
    if platform.machine().lower() in ("arm64", "aarch64"):
        return True
    features = get_host_cpu_features() if config.CPU_FEATURES is None else config.CPU_FEATURES
    return {"+f16c", "+avx"} <= set(features.split(","))


@intrinsic  # type: ignore[untyped-decorator]
def popcount(typingctx: Any, value: Any) -> Any:
    """The number of set bits of 64, by LLVM's ctpop, which vectorises."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        function = builder.module.declare_intrinsic("llvm.ctpop", [ir.IntType(64)])
        return builder.call(function, args)

    return types.uint64(types.uint64), codegen


@intrinsic  # type: ignore[untyped-decorator]
def fetch(typingctx: Any, array: Any, at: Any) -> Any:
    """Ask for the cache line of an element of `(n,)` before it is needed. The index is not checked."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        words = context.make_array(signature.args[0])(context, builder, args[0])
        prefetch(builder, builder.bitcast(builder.gep(words.data, [args[1]]), ir.IntType(8).as_pointer()))
        return context.get_dummy_value()

    return types.void(array, types.int64), codegen


def prefetch(builder: Any, place: Any) -> None:
    """Write the instruction that asks for the cache line of a byte, to be read, and to be kept."""
    byte, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
    kind = ir.FunctionType(ir.VoidType(), [byte, flag, flag, flag])
    hint = builder.module.declare_intrinsic("llvm.prefetch", [byte], kind)
    builder.call(hint, [place, *(ir.Constant(flag, value) for value in (0, 3, 1))])
