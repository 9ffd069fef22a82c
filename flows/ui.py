"""MLflow's and Prefect's pages on what was logged, for as long as someone looks."""

import os
import subprocess
import sys
from pathlib import Path

from campaign.settings import Settings

MLFLOW_PORT, PREFECT_PORT = 5000, 4200


def serve() -> None:
    """Start both servers on 127.0.0.1, say where they are, and end them together."""
    settings, folder = Settings(), Path(sys.executable).parent
    tracking = settings.mlflow_tracking_uri
    api = f"http://127.0.0.1:{PREFECT_PORT}/api"
    mlflow = f"mlflow server --backend-store-uri {tracking} --host 127.0.0.1 --port {MLFLOW_PORT}"
    prefect = f"prefect server start --host 127.0.0.1 --port {PREFECT_PORT}"
    environment = os.environ | {"PREFECT_UI_API_URL": api, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    print(
        f"MLflow   http://127.0.0.1:{MLFLOW_PORT}\nPrefect  http://127.0.0.1:{PREFECT_PORT}\nCtrl-C ends both.",
        flush=True,
    )
    servers = [
        subprocess.Popen([str(folder / name), *options], env=environment, stdout=subprocess.DEVNULL)
        for name, *options in (mlflow.split(), prefect.split())
    ]
    try:
        for server in servers:
            server.wait()
    except KeyboardInterrupt:
        pass
    finally:
        for server in servers:
            server.terminate()
        for server in servers:
            server.wait()
