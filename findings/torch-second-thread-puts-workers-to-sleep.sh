#!/bin/sh
# torch 2.13.0 (CPU, Linux): a Python thread that has once run one operation, and then waits, changes how all other
# threads' operations run for as long as it lives: their workers sleep between operations instead of staying awake.
#
# Input: short operations on 262 144 numbers with pauses of half a millisecond between them, with as many threads as
#   there are cores; then the same beside a second Python thread that ran `zeros(…).add_(1)` once and waits for an
#   event.
# Expected: a thread that computes nothing changes nothing.
# Seen: beside it the same loop takes a fraction of the processor time, since workers no longer spin through the
#   pauses; training steps without pauses lose about a tenth of their speed where the machine is free, and are 1.6 to
#   1.9 times as fast where another program holds a core. PyTorch keeps a team of OpenMP threads for each thread that
#   ever computed, and libgomp lets all wait for 100 rounds instead of 300 000 once it manages more threads than
#   cores (GOMP_SPINCOUNT in its manual). The numbers computed are the same.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6 2>"$place/log" ||
    { cat "$place/log" >&2; exit 2; }
cd "$place"
env -u OMP_NUM_THREADS -u OMP_WAIT_POLICY -u GOMP_SPINCOUNT "$place/venv/bin/python" - <<'PYTHON'
import os
import threading
import time

import torch

cores = len(os.sched_getaffinity(0))
torch.set_num_threads(cores)
if cores < 2:
    print("needs two cores")
    raise SystemExit(2)


def processor_seconds() -> float:
    numbers, began, used = torch.zeros(1 << 18), time.monotonic(), time.process_time()
    while time.monotonic() - began < 2:
        numbers.add_(1)
        time.sleep(0.0005)
    return time.process_time() - used


computed, leave = threading.Event(), threading.Event()


def once() -> None:
    torch.zeros(cores << 15).add_(1)
    computed.set()
    leave.wait()


alone = processor_seconds()
thread = threading.Thread(target=once)
thread.start()
computed.wait()
beside = processor_seconds()
leave.set()
thread.join()
after = processor_seconds()
print("torch", torch.__version__)
print(f"processor seconds in 2 s: alone {alone:.2f}, beside the idle thread {beside:.2f}, after it {after:.2f}")
seen = beside < alone / 1.3 and beside < after / 1.3
print("as described: an idle thread changes how the others wait" if seen else "the behaviour has changed")
raise SystemExit(0 if seen else 1)
PYTHON
