"""One stage of work per file: plain functions that a test calls directly, and a thin Prefect task over them.

`training/`, `scoring/` and `monitoring/` are rooms of their own; what more than one of them uses stands beside them.
"""
