"""One stage of work per file: plain functions, and a thin Prefect task over them."""
