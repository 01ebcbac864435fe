"""Counts the instructions of single kernels on emulated boards, and compares them with others."""
