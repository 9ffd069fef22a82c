#!/bin/sh
# Before there was a work pool for each set of keys one worker ran every flow. While the stack is upgraded it would go on with
# keys that no longer count, and fail what it runs: so it is stopped, and what it ran is taken up by the new workers.
set -eu
old=$(docker compose --profile dask ps --quiet worker dask-worker 2>/dev/null || true)
if [ -n "$old" ] && [ -z "$(docker compose ps --all --quiet training-worker)" ]; then
  echo "Stopping the workers of an earlier version; their runs go on when the new ones are there." >&2
  docker compose --profile dask stop worker dask-worker
fi
