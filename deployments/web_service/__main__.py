"""Serve: `python -m deployments.web_service [--host H] [--port P] [--workers N]`."""

import argparse
import logging
import os
import resource
import sys
from contextlib import suppress
from tempfile import TemporaryDirectory

import uvicorn

from campaign.errors import CampaignError
from deployments.web_service.app import create_app
from deployments.web_service.connection_limits import MAX_CONNECTIONS, LimitedHttpProtocol
from deployments.web_service.prometheus import SHARED_FOLDER

APP = f"{create_app.__module__}:{create_app.__name__}"
KEEP_ALIVE_SECONDS = 75
STOP_SECONDS = 15  # for requests that are under way
INTERRUPTED = 130  # as shells have it: 128 + SIGINT


def main() -> None:
    """Serve until SIGTERM or Ctrl-C, which gives exit code 130."""
    options = parse_arguments()
    with suppress(KeyboardInterrupt):  # before uvicorn listens for it
        serve(options)
    # SIGTERM does not come back from one worker; of several, uvicorn does not say which signal it was.
    if options.workers == 1:
        print("Interrupted.", file=sys.stderr)
        sys.exit(INTERRUPTED)


def serve(options: argparse.Namespace) -> None:
    """What a user can mend ends in two sentences and exit code 1."""
    logging.basicConfig(format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("campaign").setLevel(logging.INFO)
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # the rotation logs once what urllib3 retries
    try:
        create_app()  # each worker makes its own: this finds out whether the settings allow it
    except CampaignError as error:
        sys.exit(f"{error.cause}\n{error.remedy}")
    allow_many_connections()
    print(f"campaign-success on http://{options.host}:{options.port}", flush=True)
    with TemporaryDirectory(prefix="campaign-metrics-") as shared:
        if options.workers > 1:
            os.environ.setdefault(SHARED_FOLDER, shared)
        uvicorn.run(
            APP,
            factory=True,
            host=options.host,
            port=options.port,
            workers=options.workers,
            http=LimitedHttpProtocol,
            access_log=False,
            log_level="warning",
            server_header=False,
            limit_concurrency=MAX_CONNECTIONS + 1,
            proxy_headers=False,  # whose are believed is a setting
            ws="none",
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=STOP_SECONDS,
        )


def allow_many_connections() -> None:
    """Each is an open file, of which a process has 1,024 unless it asks for more."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4 * MAX_CONNECTIONS
    with suppress(ValueError, OSError):
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (wanted if most == resource.RLIM_INFINITY else min(wanted, most), most)
        )


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deployments.web_service", description="Serve the champion.")
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 for other machines too (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8000, help="(default: %(default)s)")
    parser.add_argument("--workers", type=int, default=1, help="processes (default: %(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
