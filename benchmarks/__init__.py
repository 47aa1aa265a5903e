"""Measurements of whole processes on this machine; commands, not tests.

`make bench-slice` runs benchmarks/slice.py. Every figure is printed beside a reference measured in the same
run or beside the number we aim for.
"""
