"""The compiler decorator, and intrinsics for instructions that numba does not offer."""

import importlib
import platform
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from llvmlite import ir
from numba import config, njit, types
from numba.core.codegen import get_host_cpu_features
from numba.extending import intrinsic


def _load_without_blas() -> None:
    """Load numba's array functions without scipy.linalg, which numba imports only to know that it exists.

    This saves a fifth of a second of every run. It is not done while another thread could import scipy.linalg.
    """
    name, blas = "numba.np.arraymath", "scipy.linalg"
    if name in sys.modules or blas in sys.modules or threading.active_count() > 1:
        return
    sys.modules[blas] = None  # type: ignore[assignment]  # what import takes for a module that does not exist
    try:
        arrays = importlib.import_module(name)
    finally:
        del sys.modules[blas]
    vars(arrays)["_HAVE_BLAS"] = True  # as scipy is required


_load_without_blas()


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile a function at its first call; the machine code is cached on disk if a cache folder is writable."""

    def decorate(function: Callable[..., Any]) -> Any:
        try:
            made = njit(nogil=True, cache=True, **options)(function)
        except RuntimeError:  # no writable cache folder
            made = njit(nogil=True, **options)(function)
        return _compiled_once(made)

    return decorate


def _compiled_once(dispatcher: Any) -> Any:
    """Let compiled callers pass constants as values: numba would compile a function anew for each constant.

    A counter that starts at 0 is such a constant, too: each callee that gets one was compiled twice.
    """
    get_call_template = dispatcher.get_call_template

    def of_values(args: Any, kws: Any) -> Any:
        return get_call_template(
            [types.unliteral(each) for each in args], {name: types.unliteral(each) for name, each in kws.items()}
        )

    dispatcher.get_call_template = of_values
    return dispatcher


def is_compiled(function: Any) -> bool:
    """True if the cache on disk has machine code of a compiled function, possibly of an earlier version of it."""
    folder, code = function.stats.cache_path, function.py_func
    name = f"{code.__module__.rpartition('.')[2]}.{code.__qualname__}-*.nbi"
    return folder is not None and any(Path(folder).glob(name))


def reads_halves() -> bool:
    """True if compiled loops can convert float16.

    If the processor has no instruction for it (x86 before 2012, and simple virtual machines), LLVM calls a runtime
    function that is not linked, and the process aborts.
    """
    if platform.machine().lower() in ("arm64", "aarch64"):
        return True
    features = get_host_cpu_features() if config.CPU_FEATURES is None else config.CPU_FEATURES
    return {"+f16c", "+avx"} <= set(features.split(","))


@intrinsic  # type: ignore[untyped-decorator]
def popcount(typingctx: Any, value: Any) -> Any:
    """Return the number of set bits of a uint64, by LLVM's ctpop, which can be vectorised."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        function = builder.module.declare_intrinsic("llvm.ctpop", [ir.IntType(64)])
        return builder.call(function, args)

    return types.uint64(types.uint64), codegen


@intrinsic  # type: ignore[untyped-decorator]
def fetch(typingctx: Any, array: Any, at: Any) -> Any:
    """Prefetch the cache line of an element of an `(n,)` array. The index is not checked."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        words = context.make_array(signature.args[0])(context, builder, args[0])
        prefetch(builder, builder.bitcast(builder.gep(words.data, [args[1]]), ir.IntType(8).as_pointer()))
        return context.get_dummy_value()

    return types.void(array, types.int64), codegen


def prefetch(builder: Any, place: Any) -> None:
    """Emit a prefetch instruction for the cache line of a byte, for reading, with high temporal locality."""
    byte, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
    kind = ir.FunctionType(ir.VoidType(), [byte, flag, flag, flag])
    hint = builder.module.declare_intrinsic("llvm.prefetch", [byte], kind)
    builder.call(hint, [place, *(ir.Constant(flag, value) for value in (0, 3, 1))])
