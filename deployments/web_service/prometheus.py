"""The metrics for Prometheus. With several workers the client library keeps the counts in files that they share."""

import os
from contextlib import suppress
from pathlib import Path

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client import REGISTRY as PROCESS_REGISTRY
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from deployments.web_service.live_model import LiveModel

SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
NO_ROUTE = "none"  # what was refused before it reached a route: a foreign name, an unknown path, a head without end
# One campaign takes some 50 microseconds, a table of ten thousand a second; each is looked at in turn, so they are few.
SECONDS = (2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)

requests = Counter("campaign_requests", "Answers, by route and status", ["route", "status"])
latency = Histogram("campaign_request_seconds", "From a request's head to its answer", ["route"], buckets=SECONDS)
predictions = Counter("campaign_predictions", "Campaigns that were scored", ["outcome"])
rejected = Counter("campaign_rejected_rows", "Rows of batches that could not be scored")
unknown = Counter("campaign_unknown_categories", "Values that training never saw", ["feature"])
captured = Counter("campaign_captured", "Predictions that were written to the store")
dropped = Counter("campaign_capture_dropped", "Predictions that could not be kept until the store was back")
over_quota = Counter("campaign_capture_over_quota", "Predictions that were not kept: the day's quota was used up")
waiting = Gauge("campaign_capture_waiting", "Predictions that wait to be written", multiprocess_mode="livesum")
ready = Gauge("campaign_ready", "1 once each worker has a model in service", multiprocess_mode="livemin")
memory = Gauge(
    "campaign_resident_memory_bytes", "Of all workers, those that decode Parquet included", multiprocess_mode="livesum"
)
loop_lag = Gauge(
    "campaign_event_loop_lag_seconds", "Longest wait for the event loop in half a minute", multiprocess_mode="livemax"
)
swaps = Counter("campaign_model_swaps", "Models that came into service, the first included")
version = Gauge(
    "campaign_model_info", "1 for the version in service", ["model", "version"], multiprocess_mode="livemax"
)
refused = Gauge("campaign_model_refused", "1 for a champion that is refused", ["version"], multiprocess_mode="livemax")
trained = Gauge(
    "campaign_model_trained_timestamp_seconds", "When the version was trained", multiprocess_mode="livemostrecent"
)
since = Gauge(
    "campaign_model_in_service_timestamp_seconds", "When it came into service", multiprocess_mode="livemostrecent"
)
registry_silent = Gauge("campaign_registry_silent", "1 while nobody says who is champion", multiprocess_mode="livemax")

# From 0 on, for a rate does not see the request with which a series begins, and an alert is to see the first failure.
for _route in ("/predict", "/predict/batch", "/explain", "/model"):
    for _status in ("500", "503"):
        requests.labels(_route, _status)


def count(route: str, status: int, seconds: float) -> None:
    """One request, once it is answered or its client has gone."""
    requests.labels(route, str(status)).inc()
    latency.labels(route).observe(seconds)


def render_metrics() -> tuple[bytes, str]:
    """The text of all metrics, and its content type."""
    registry = PROCESS_REGISTRY
    if folder := os.environ.get(SHARED_FOLDER):
        forget_ended_workers(Path(folder))
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
    return generate_latest(registry), CONTENT_TYPE_LATEST


def forget_ended_workers(folder: Path) -> None:
    """What a worker that was killed said of the present goes; what it had counted stays."""
    for pid in {int(file.stem.rpartition("_")[2]) for file in folder.glob("gauge_live*.db")}:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            with suppress(FileNotFoundError):  # another worker is asked for the metrics, too
                mark_process_dead(pid, str(folder))


def show_version(previous: LiveModel | None, live: LiveModel) -> None:
    """Say which version is in service."""
    if previous is not None:
        version.labels(previous.model.name, previous.version).set(0)
    version.labels(live.model.name, live.version).set(1)
    swaps.inc()
    since.set(live.since.timestamp())
    if (trained_at := trained_timestamp(live)) is not None:
        trained.set(trained_at)


def trained_timestamp(live: LiveModel) -> float | None:
    """Unix seconds; None for a model that does not say."""
    from datetime import datetime

    try:
        return datetime.fromisoformat(str(live.model.about.get("trained_at"))).timestamp()
    except ValueError:
        return None
