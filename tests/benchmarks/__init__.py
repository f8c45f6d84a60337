"""Benchmarks: each program in its own process, in turns, and ratios of medians."""
