"""Predict a long recording in a process of its own; prints the number of windows and the peak in MB."""

import re
import sys
from pathlib import Path

from kakera.commands.predict import predict_windows

count = sum(1 for _ in predict_windows(sys.argv[1], [sys.argv[2]]))
# Not getrusage: its peak counts the process that this one was forked from.
peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
assert peak is not None
print(count, int(peak[1]) / 1024)
