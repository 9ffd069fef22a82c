"""The parts that requests are answered with."""

from dataclasses import dataclass, field

from campaign.schema_file import served_model
from campaign.settings import Settings
from campaign.store import Store
from deployments.web_service.addresses import Addresses
from deployments.web_service.browsers import Browsers
from deployments.web_service.capture import Capture
from deployments.web_service.capture_quota import Quota
from deployments.web_service.keys import Keys
from deployments.web_service.last_good import LastGood
from deployments.web_service.merging import Merging
from deployments.web_service.origin import Registry, champion_source
from deployments.web_service.parquet import ParquetDecoder
from deployments.web_service.rotation import Rotation
from deployments.web_service.uploads import Uploads

START_SECONDS = 10.0  # for the first model, before requests are accepted


@dataclass(frozen=True)
class Service:
    """Made before the first request, started and stopped with the server."""

    addresses: Addresses
    browsers: Browsers
    keys: Keys
    metrics_open: bool
    rotation: Rotation
    store: Store
    capture: Capture
    merging: Merging
    uploads: Uploads = field(default_factory=Uploads)
    parquet: ParquetDecoder = field(default_factory=ParquetDecoder)

    @classmethod
    def of(cls, settings: Settings) -> "Service":
        source, store = champion_source(), Store(settings.store)
        # An exported folder can be read after a restart; a registry may be away.
        kept = LastGood(settings.cache / "web" / served_model()) if isinstance(source, Registry) else None
        return cls(
            addresses=Addresses(settings.trusted_proxies),
            browsers=Browsers(settings.allowed_hosts),
            keys=Keys(settings.api_keys),
            metrics_open=settings.metrics_open,
            rotation=Rotation(source, kept),
            store=store,
            capture=Capture(store, Quota(store, settings.capture_quota)),
            merging=Merging(store),
        )

    def start(self) -> None:
        """Wait some seconds for the model, so that a new worker does not answer 503 while the others answer."""
        for part in (self.rotation, self.capture, self.merging, self.parquet):
            part.start()
        self.rotation.wait_for_first_look(START_SECONDS)

    def stop(self) -> None:
        for part in (self.rotation, self.merging, self.capture, self.parquet):
            part.stop()
