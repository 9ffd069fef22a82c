"""What a browser is told of this service's pages, and what it may not do here for a page of somebody else's."""

from collections.abc import Collection
from typing import Any

from deployments.web_service.refusals import Forbidden

HEALTH = "/healthz"  # says nothing, and is asked by machines that know no name of this one
OPEN_PATHS = ("/static/", "/swagger/", "/favicon.ico")  # scripts and pictures, which hold no secrets
READING = ("GET", "HEAD")

PAGES = (
    "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; object-src 'none'; "
    "frame-ancestors 'none'"
)
NOSNIFF = (b"x-content-type-options", b"nosniff")
POLICY = b"content-security-policy"
DEFAULTS = (NOSNIFF, (POLICY, PAGES.encode()), (b"referrer-policy", b"no-referrer"))

Headers = Collection[tuple[bytes, bytes]]


class Browsers:
    """`allowed` are the names under which the service is asked, * for any: another one is a name that somebody made
    lead here, so that his page may read the answers."""

    def __init__(self, allowed: str) -> None:
        self._allowed = {name.strip().lower().encode() for name in allowed.split(",") if name.strip()}

    def check(self, scope: Any) -> None:
        """Raises `Forbidden` for a request that a page of another site has a browser make.

        A link that somebody follows to here passes, and so does all that is not a browser.
        """
        host = origin = site = mode = b""
        for name, value in scope["headers"]:
            if name == b"host":
                host = value.strip().lower()
            elif name == b"origin":
                origin = value.strip().lower()
            elif name == b"sec-fetch-site":
                site = value
            elif name == b"sec-fetch-mode":
                mode = value
        path, reads = scope["path"], scope["method"] in READING
        if not self._is_allowed(host) and path != HEALTH:
            raise Forbidden(
                f"The service is not asked by the name {host.decode('latin-1')!r}. If it is one of its own, name it in "
                "CAMPAIGN_ALLOWED_HOSTS."
            )
        if reads and path.startswith(OPEN_PATHS):
            return
        if site in (b"cross-site", b"same-site"):
            is_foreign = not (reads and mode == b"navigate")
        else:  # browsers from before say an origin with whatever is not read
            is_foreign = bool(origin) and not reads and origin.partition(b"://")[2] != host
        if is_foreign:
            raise Forbidden("A page of another site asks here. Open the service's own page, or ask without a browser.")

    def _is_allowed(self, host: bytes) -> bool:
        if b"*" in self._allowed:
            return True
        name = host if host.endswith(b"]") else host.rpartition(b":")[0] or host
        return name in self._allowed


def told_to_browsers(send: Any) -> Any:
    """Sends with the headers that every page has, but for what its answer says itself."""

    async def sending(message: Any) -> None:
        if message["type"] == "http.response.start":
            own = {name for name, _ in message["headers"]}
            message["headers"] = [*message["headers"], *(header for header in DEFAULTS if header[0] not in own)]
        await send(message)

    return sending
