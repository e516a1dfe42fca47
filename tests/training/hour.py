"""Predict a long recording in a process of its own; prints the number of windows and the peak in MB."""

import resource
import sys

from kakera.training.predict import predict_windows

count = sum(1 for _ in predict_windows(sys.argv[1], [sys.argv[2]]))
print(count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
