#!/usr/bin/env bash
# A private function of one LLVM module takes the place of another module's function of the same name.
#
# One would expect: what has internal linkage is seen in its own module alone, as in C. A module that is added later
#   and brings a mergeable function (linkonce_odr) of the same name calls its own.
# What happens: in the engine that llvmlite makes, and numba uses, the later module calls the private function of the
#   earlier one, without any message, and gives its result.
# Version: llvmlite 0.50.0 (LLVM 22.1).
# Where: llvm/lib/ExecutionEngine/RuntimeDyld/RuntimeDyld.cpp, RuntimeDyldImpl::loadObjectImpl (local symbols enter the
#   table of all names; a weak one that is there already is skipped); llvmlite's create_mcjit_compiler.
# Why it matters here: plugins/shared/compiled.py makes the copies in our functions private, so that the same bits come
#   out whoever compiled them (numba_cache_last_bits.sh). They have names of their own now.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q llvmlite==0.50.0
cat > "$work/see.py" <<'PY'
import ctypes

import llvmlite
import llvmlite.binding as llvm

llvm.initialize_native_target()
llvm.initialize_native_asmprinter()

PRIVATE = """
define internal i64 @shared(i64 %x) noinline { ret i64 %x }
define i64 @first() {
  %r = call i64 @shared(i64 1)
  ret i64 %r
}
"""
MERGEABLE = """
define linkonce_odr i64 @shared(i64 %x) noinline {
  %y = add i64 %x, 1
  ret i64 %y
}
define i64 @second() {
  %r = call i64 @shared(i64 1)
  ret i64 %r
}
"""


def results(*modules):
    """Add one module after the other to a new engine; return what the function of each gives."""
    machine = llvm.Target.from_default_triple().create_target_machine(jit=True)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    values = []
    for text, name in modules:
        module = llvm.parse_assembly(text)
        module.verify()
        engine.add_module(module)
        engine.finalize_object()
        values.append(ctypes.CFUNCTYPE(ctypes.c_int64)(engine.get_function_address(name))())
    return values


private, mergeable = (PRIVATE, "first"), (MERGEABLE, "second")
renamed = (PRIVATE.replace("@shared", "@shared.private"), "first")
alone, after, after_renamed = results(mergeable), results(private, mergeable), results(renamed, mergeable)
print("llvmlite", llvmlite.__version__, "LLVM", ".".join(map(str, llvm.llvm_version_info)))
print("x + 1 of 1, alone:", alone, "; after a private function of that name:", after)
print("after a private function of another name:", after_renamed)
assert alone == [2] and after_renamed == [1, 2]
assert after == [1, 1], "each calls its own now: this finding is out of date"
PY
"$work/venv/bin/python" "$work/see.py"
