#!/usr/bin/env bash
# A Landlock rule that lets a process read about itself is lost when the kernel is short of memory, and threadpoolctl fails.
#
# One would expect: a rule on a folder holds as long as the process lives, as it does for folders on disks. A process that
#   was let into /proc/self before it was shut in can limit its BLAS to one thread at any time.
# What happens: a rule belongs to an inode. Those of /proc are made when somebody asks and forgotten when memory is
#   short, or caches are dropped; the next one is another, to which no rule applies, so that reading /proc/self is refused
#   from then on. threadpoolctl 3.8 reads /proc/self/maps each time that threads are limited. An open descriptor of the
#   folder keeps the inode, and with it the rule.
# Version: Linux 6.18, threadpoolctl 3.8.0, Python 3.11.
# Where: threadpoolctl.py, ThreadpoolController._find_libraries_with_linux; Linux, fs/proc/base.c, proc_pid_make_inode,
#   and security/landlock/fs.c, get_inode_object.
# Why it matters here: methods work behind such walls. A job of a million cells failed after six minutes, and a short one
#   beside it. impbench/worker/landlock.py keeps the descriptors of what it lets through below /proc.
set -euo pipefail
[ -w /proc/sys/vm/drop_caches ] || { echo "needs root, to have the kernel drop what it can make anew"; exit 1; }
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
cat > "$work/look.py" <<'PY'
import ctypes
import os
import struct
import sys

import threadpoolctl

libc = ctypes.CDLL(None, use_errno=True)
READ = 1 << 0 | 1 << 2 | 1 << 3


def shut_in(paths, keep):
    """Let this process read below `paths`, and nothing else."""
    rules = libc.syscall(444, struct.pack("Q", (1 << 13) - 1), ctypes.c_size_t(8), ctypes.c_uint32(0))
    if rules < 0:
        sys.exit("this kernel has no Landlock")
    for path in paths:
        place = os.open(path, os.O_PATH)
        libc.syscall(445, rules, 1, struct.pack("=Qi", READ, place), ctypes.c_uint32(0))
        if not keep:
            os.close(place)
    libc.prctl(38, 1, 0, 0, 0)
    if libc.syscall(446, rules, ctypes.c_uint32(0)):
        sys.exit(os.strerror(ctypes.get_errno()))


def limit():
    try:
        with threadpoolctl.threadpool_limits(1):
            return "limited"
    except PermissionError as error:
        return f"refused: {error.filename}"


shut_in(["/usr", "/lib", "/etc", sys.prefix, sys.base_prefix, "/proc/self"], keep="keep" in sys.argv)
print(*sys.argv[1:], "before:", limit(), flush=True)
sys.stdin.readline()
print(*sys.argv[1:], "after:", limit(), flush=True)
PY
look() {
    { sleep 3; echo 2 > /proc/sys/vm/drop_caches; echo; } |
        "$work/venv/bin/python" "$work/look.py" "$@" | tee -a "$work/seen"
}
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q threadpoolctl==3.8.0
uname -sr
"$work/venv/bin/python" -c "import threadpoolctl; print('threadpoolctl', threadpoolctl.__version__)"
look let-go
look keep
cmp -s "$work/seen" - <<'TXT' || { echo "this has changed: the finding is out of date"; exit 1; }
let-go before: limited
let-go after: refused: /proc/self/maps
keep before: limited
keep after: limited
TXT
