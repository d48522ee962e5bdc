"""Helpers shared by all packages: rows, scores, validation, tasks, files. Imports no other package.

The Cython modules select the top k, transform scores and check CSR arrays.
"""
