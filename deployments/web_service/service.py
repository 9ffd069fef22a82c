"""The parts that requests are answered with."""

from asyncio import Semaphore
from dataclasses import dataclass, field

from campaign.schema_file import served_model
from campaign.settings import Settings
from campaign.store import Store
from deployments.web_service.browsers import Browsers
from deployments.web_service.capture import Capture
from deployments.web_service.keys import Keys
from deployments.web_service.last_good import LastGood
from deployments.web_service.merging import Merging
from deployments.web_service.origin import Registry, champion_source
from deployments.web_service.rotation import Rotation

START_SECONDS = 10.0  # for the first model, before requests are accepted
MAX_UPLOADS = 4  # at once, for what they hold in memory


@dataclass(frozen=True)
class Service:
    """Made before the first request, started and stopped with the server."""

    browsers: Browsers
    keys: Keys
    rotation: Rotation
    store: Store
    capture: Capture
    merging: Merging
    uploads: Semaphore = field(default_factory=lambda: Semaphore(MAX_UPLOADS))

    @classmethod
    def of(cls, settings: Settings) -> "Service":
        source, store = champion_source(), Store(settings.store)
        # An exported folder can be read after a restart; a registry may be away.
        kept = LastGood(settings.cache / "web" / served_model()) if isinstance(source, Registry) else None
        return cls(
            browsers=Browsers(settings.allowed_hosts),
            keys=Keys(settings.api_keys),
            rotation=Rotation(source, kept),
            store=store,
            capture=Capture(store),
            merging=Merging(store),
        )

    def start(self) -> None:
        """Wait some seconds for the model, so that a new worker does not answer 503 while the others answer."""
        for part in (self.rotation, self.capture, self.merging):
            part.start()
        self.rotation.wait_for_first_look(START_SECONDS)

    def stop(self) -> None:
        for part in (self.rotation, self.merging, self.capture):
            part.stop()
