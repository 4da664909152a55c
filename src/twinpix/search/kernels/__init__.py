"""Kernels that compare codes, most of them compiled with numba."""
