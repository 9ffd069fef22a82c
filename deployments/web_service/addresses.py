"""Who asks, by address: as far as that is known, nobody asks for more than a share."""

from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Literal

from campaign.errors import BadInput
from deployments.web_service.refusals import TooMany

MAX_AT_ONCE = 32  # requests of one address that are being answered
NOBODY = nullcontext()


class Addresses:
    """`trusted` are addresses or networks, separated by commas, whose X-Forwarded-For is believed.

    Without any, who comes from this machine or a private network is nobody in particular: behind a port of Docker's or
    a proxy all have one address.
    """

    def __init__(self, trusted: str) -> None:
        try:
            self._trusted = [ip_network(name.strip(), strict=False) for name in trusted.split(",") if name.strip()]
        except ValueError as error:
            raise BadInput(
                f"CAMPAIGN_TRUSTED_PROXIES is {trusted!r}: {error}.", "Name addresses or networks, such as 10.0.0.0/8."
            ) from error
        self._at_once: Counter[str] = Counter()
        self._kind_of = lru_cache(10_000)(self._look)

    def of_peer(self, host: str) -> str | None:
        """Whose connection this is; None where that is not known, or it is a proxy's."""
        kind, name = self._kind_of(host)
        return name if kind == "known" else None

    def of(self, scope: Any) -> str | None:
        """Whose request this is; None where that is not known."""
        if scope["client"] is None:
            return None
        kind, name = self._kind_of(scope["client"][0])
        if kind == "proxy":
            said = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for").decode("latin-1")
            for host in reversed(said.split(",")):  # each proxy adds whom it was asked by at the right
                kind, name = self._kind_of(host.strip())
                if kind != "proxy":
                    break
        return name if kind == "known" else None

    def one_more(self, address: str | None) -> AbstractContextManager[None]:
        """While a request is being answered. Raises `TooMany` when it is entered."""
        return NOBODY if address is None else self._one_more_of(address)

    @contextmanager
    def _one_more_of(self, address: str) -> Iterator[None]:
        if self._at_once[address] >= MAX_AT_ONCE:
            raise TooMany(f"More than {MAX_AT_ONCE} requests of one address are being answered. Ask again later.", 1)
        self._at_once[address] += 1
        try:
            yield
        finally:
            self._at_once[address] -= 1
            if not self._at_once[address]:
                del self._at_once[address]

    def _look(self, host: str) -> tuple[Literal["proxy", "known", "unknown"], str]:
        try:
            address: IPv4Address | IPv6Address = ip_address(host)
        except ValueError:
            return "unknown", ""
        if isinstance(address, IPv6Address):
            address = address.ipv4_mapped or address
        if any(address in network for network in self._trusted):
            return "proxy", ""
        if not self._trusted and not address.is_global:
            return "unknown", ""
        if isinstance(address, IPv6Address):  # whoever has one of these has all of them
            return "known", str(IPv6Network((int(address), 64), strict=False))
        return "known", str(address)
