"""Kernels that compute several children side by side in the lanes of a SIMD register."""
