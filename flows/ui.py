"""MLflow's and Prefect's pages on what was logged, for as long as someone looks."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

from campaign.errors import CampaignError
from campaign.schema_file import served_model
from campaign.settings import Settings
from flows.interruption import do_when_interrupted
from tasks.mlflow_run import mlflow_client

MLFLOW_PORT, PREFECT_PORT = 5000, 4200
PORTS_TRIED = 20
RUNS = "/#/experiments/{}/runs?workflowType=machine_learning"


class NotServed(CampaignError):
    """A page that could not be served."""


def serve() -> None:
    """Start both servers on 127.0.0.1, say where they are once they answer, and end them together."""
    settings, folder = Settings(), Path(sys.executable).parent
    home = settings.home.absolute()
    page = page_of_runs()
    ports = {"mlflow": free_port(MLFLOW_PORT), "prefect": free_port(PREFECT_PORT)}
    commands = {
        # One process is enough for who sits here; MLflow's default is four.
        "mlflow": [
            "server",
            "--backend-store-uri",
            settings.mlflow_tracking_uri,
            "--host",
            "127.0.0.1",
            "--workers",
            "1",
        ],
        "prefect": ["server", "start", "--host", "127.0.0.1"],
    }
    prefect = [f"http://{host}:{ports['prefect']}" for host in ("127.0.0.1", "localhost")]
    own = {
        "PREFECT_UI_API_URL": f"{prefect[0]}/api",
        # Prefect's default is any page that the browser has open.
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": ",".join(prefect),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    servers = {}
    for name, words in commands.items():
        log = (home / f"{name}.log").open("w")  # not between the addresses
        servers[name] = subprocess.Popen(
            [str(folder / name), *words, "--port", str(ports[name])], env=os.environ | own, stdout=log, stderr=log
        )
    do_when_interrupted(lambda: end(servers))
    try:
        for name, server in servers.items():
            wait_until_it_answers(name, server, f"http://127.0.0.1:{ports[name]}", home / f"{name}.log")
        print(f"MLflow   http://127.0.0.1:{ports['mlflow']}{page}")
        print(f"Prefect  http://127.0.0.1:{ports['prefect']}")
        print("Ctrl-C ends both.", flush=True)
        for server in servers.values():
            server.wait()
    finally:
        end(servers)


def page_of_runs() -> str:
    """Where MLflow's pages have the runs of the home's model; its first page before there are any."""
    experiment = mlflow_client().get_experiment_by_name(served_model())
    return RUNS.format(experiment.experiment_id) if experiment else ""


def free_port(wanted: int) -> int:
    """The first free one from `wanted` on; says so if it is another."""
    for port in filter(is_free, range(wanted, wanted + PORTS_TRIED)):
        if port != wanted:
            print(f"Port {wanted} is taken; it is {port} instead.")
        return port
    raise NotServed(f"The ports from {wanted} to {wanted + PORTS_TRIED - 1} are all taken.", "Free one of them.")


def is_free(port: int) -> bool:
    """Whether nobody serves there."""
    with socket.socket() as probe, suppress(OSError):
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
        return True
    return False


def wait_until_it_answers(name: str, server: subprocess.Popen[bytes], address: str, log: Path) -> None:
    """Raises `NotServed` if it ends instead."""
    while server.poll() is None:
        with suppress(OSError):
            urllib.request.urlopen(address, timeout=5).close()
            return
        time.sleep(0.2)
    last = log.read_text(errors="replace").strip().splitlines()[-1:]
    raise NotServed(f"{name} has ended: {''.join(last)}", f"All that it said is in {log}.")


def end(servers: dict[str, subprocess.Popen[bytes]]) -> None:
    """All of them, by force if one takes longer than two seconds."""
    for server in servers.values():
        server.terminate()
    for server in servers.values():
        try:
            server.wait(2)
        except subprocess.TimeoutExpired:
            server.kill()
