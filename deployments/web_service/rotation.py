"""The model in service: whoever the registry says is champion, once it proved to be what was registered."""

import logging
import time
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

import numpy as np
import pyarrow.parquet as pq

from campaign.errors import CampaignError, ModelMismatch
from campaign.model import ScoringModel
from deployments.web_service import prometheus
from deployments.web_service.background import stored_batch
from deployments.web_service.last_good import LastGood
from deployments.web_service.live_model import LiveModel
from deployments.web_service.origin import Origin
from deployments.web_service.refusals import NotReady

POLL_SECONDS = 3.0  # with download and check, a promotion is in service within ten seconds
RETRY_SECONDS = 30.0  # after which a refused version is tried again: its files may have been out of reach
TOLERANCE = 1e-9  # of a probability; the arithmetic is the same on every machine

log = logging.getLogger("campaign.web")


@dataclass(frozen=True)
class Refused:
    """A champion that is not taken into service, the two sentences why, and when to look again (monotonic seconds)."""

    champion: str
    why: str
    again: float


class Rotation:
    """`live` is replaced by one assignment: a request has one model from its beginning to its end."""

    def __init__(self, origin: Origin, last_good: LastGood | None) -> None:
        self.origin = origin
        self.last_good = last_good
        self.live: LiveModel | None = None
        self.refused: Refused | None = None
        # Why the champion is not known; empty once the registry has said who it is.
        self.registry_error = "The champion is being asked for. Try again in a few seconds."
        self._champion = ""
        self._first_look, self._ended = Event(), Event()
        self._thread = Thread(target=self._run, name="rotation", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()

    def wait_for_first_look(self, seconds: float) -> None:
        """Wait until it is known whether there is a model, but not for ever."""
        self._first_look.wait(seconds)

    def ready(self) -> LiveModel:
        """The model in service. Raises `NotReady`, with the reason, while there is none."""
        if self.live is None:
            raise NotReady(self.why_not_ready, int(POLL_SECONDS))
        return self.live

    @property
    def why_not_ready(self) -> str:
        """Why the champion is not in service, or is not known; empty when all is well."""
        return self.registry_error or (self.refused.why if self.refused else "")

    def refresh(self) -> None:
        """Ask who is champion, and take it into service if it is another one."""
        try:
            champion = self.origin.champion()
        except CampaignError as error:
            self._set_registry_error(str(error))
            return
        self._set_registry_error("")
        if champion == self._champion:
            self._set_refused(None)  # rolled back to the one in service
            return
        if self.refused and self.refused.champion == champion and time.monotonic() < self.refused.again:
            return
        try:
            with self.origin.fetch(champion) as (model, reference):
                self._swap(self._checked(model, reference))
                self._keep(model, reference)
        except CampaignError as error:
            self._set_refused(Refused(champion, str(error), time.monotonic() + RETRY_SECONDS))
            return
        except Exception as error:  # nothing that a registry holds may end the service
            log.exception("Champion %s cannot be taken into service", champion)
            why = f"Champion {champion} cannot be taken into service ({error!r}). Register it again, or roll back."
            self._set_refused(Refused(champion, why, time.monotonic() + RETRY_SECONDS))
            return
        self._champion = champion
        self._set_refused(None)

    def _run(self) -> None:
        if self.last_good and (kept := self.last_good.load()) is not None:
            try:
                self._swap(self._checked(*kept))
                self._first_look.set()
            except Exception as error:  # what a disk gives back may be anything
                log.warning("The last good model is not used: %s", error)
        while not self._ended.is_set():
            try:
                self.refresh()
            except Exception:  # whatever it was: the model in service stays, and the next look may go well
                log.exception("Looking for the champion failed")
            self._first_look.set()
            self._ended.wait(POLL_SECONDS)

    def _checked(self, model: ScoringModel, reference: Path | None) -> LiveModel:
        """The model, once it agrees with all of its recorded predictions, if any were recorded.

        Raises `ModelMismatch` if it disagrees, or asks clients for more than the one in service does.
        """
        recorded = pq.read_table(reference) if reference is not None else None
        live = LiveModel(model, 0 if recorded is None else len(recorded), recorded)
        if self.live and (more := live.request.required - self.live.request.required):
            raise ModelMismatch(
                f"Version {model.version} of {model.name} asks for {', '.join(sorted(more))}, which clients of version "
                f"{self.live.version} need not send.",
                "Tell them, and start the service again, or roll back with `campaign champion set`.",
            )
        if recorded is None:
            # The compiled loop is loaded now, not by the first request.
            model.predict(np.zeros((1, model.n_features), np.float32))
            return live
        probabilities = model.probabilities_of(stored_batch(model, recorded))
        difference = np.abs(probabilities - recorded.column("probability").to_numpy()).max()
        if not difference <= TOLERANCE:
            raise ModelMismatch(
                f"Version {model.version} of {model.name} differs by {difference:.3g} from the predictions that were "
                "recorded when it was registered.",
                "Register it again with `campaign train`, or roll back with `campaign champion set`.",
            )
        return live

    def _swap(self, live: LiveModel) -> None:
        previous, self.live = self.live, live
        prometheus.show_version(previous, live)
        log.info("Version %s of %s is in service, %s", live.version, live.model.name, live.check_result)

    def _keep(self, model: ScoringModel, reference: Path | None) -> None:
        if self.last_good is None:
            return
        try:
            self.last_good.keep(model, reference)
        except OSError as error:
            log.warning("The model cannot be kept for a restart without MLflow: %s", error)

    def _set_registry_error(self, why: str) -> None:
        if why and why != self.registry_error:
            log.warning("%s", why)
        self.registry_error = why
        prometheus.registry_silent.set(bool(why))

    def _set_refused(self, refused: Refused | None) -> None:
        if self.refused and (refused is None or refused.champion != self.refused.champion):
            prometheus.refused.labels(self.refused.champion).set(0)
        if refused:
            prometheus.refused.labels(refused.champion).set(1)
            if self.refused is None or self.refused.why != refused.why:
                log.warning("%s", refused.why)
        self.refused = refused
