"""A file on the web, brought here whole or not at all."""

import http.client
import ipaddress
import socket
import urllib.request
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit

from campaign.errors import BadInput, CampaignError, StoreError
from campaign.files import is_text_file
from campaign.masking import shown
from campaign.settings import Settings

TIMEOUT = 60  # seconds without a byte
REMEDY = "Check the address, or download it by hand."
CHUNK_BYTES = 1 << 20


def is_web(source: str) -> bool:
    return source.lower().startswith(("http://", "https://"))


def name_in(url: str) -> str:
    """The name of the file that an address ends in; it may be empty."""
    return PurePosixPath(unquote(urlsplit(url).path)).name


class Redirects(urllib.request.HTTPRedirectHandler):
    """Followed to other sites, and not to what only this machine or its network can reach.

    A site that somebody names may be anybody's, and would else have this machine ask its own services.
    """

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        parts, asked = urlsplit(newurl), urlsplit(req.full_url)
        leads_away = parts.netloc != asked.netloc and any(map(_is_inside, _addresses_of(parts.hostname or "")))
        if leads_away or parts.scheme not in ("http", "https"):
            why = f"it leads on to {shown(newurl)}, which is no site of the web"
            raise _failure(shown(req.full_url), why, BadInput)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _addresses_of(host: str) -> set[str]:
    try:
        return {str(found[4][0]) for found in socket.getaddrinfo(host, None)}
    except OSError:  # asking it fails, then, too
        return set()


def _is_inside(address: str) -> bool:
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None) or found
    return bool(mapped.is_loopback or mapped.is_link_local or mapped.is_unspecified)


def download(url: str, folder: Path, prefix: str = "") -> Path:
    """The file under its own name behind `prefix`, with .csv added where only the server says that it is CSV.

    Raises `StoreError` when the site is away or breaks off, which may pass, and `BadInput` when it refuses, leads
    somewhere else than to a site of the web, or has more than `CAMPAIGN_DOWNLOAD_LIMIT`.
    """
    address = shown(url)
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".{prefix}{name_in(url) or 'campaigns'}"
    try:
        opener = urllib.request.build_opener(Redirects())
        with opener.open(url, timeout=TIMEOUT) as response, partial.open("wb") as file:
            _copy(response, file, address)
            kind, promised = response.headers.get_content_type(), response.headers.get("Content-Length")
        # Python takes a connection that ends early for the end of the file; half a CSV would pass for a whole one.
        if promised is not None and partial.stat().st_size != int(promised):
            raise _failure(address, f"it ended after {partial.stat().st_size} of {promised} bytes", StoreError)
        name = partial.name.removeprefix(".")
        if kind == "text/csv" and not is_text_file(name):
            name += ".csv"
        return partial.replace(folder / name)
    except HTTPError as error:
        refused = error.code < 500  # what was refused once is refused again
        raise _failure(address, f"{error.code} {error.reason}", BadInput if refused else StoreError) from error
    except (OSError, http.client.HTTPException) as error:  # a timeout and a bad certificate are OSErrors
        raise _failure(address, getattr(error, "reason", error), StoreError) from error
    except ValueError as error:  # no address at all
        raise _failure(address, error, BadInput) from error
    finally:
        partial.unlink(missing_ok=True)


def _copy(response: Any, file: BinaryIO, address: str) -> None:
    limit, total = Settings().download_limit, 0
    while chunk := response.read(CHUNK_BYTES):
        total += len(chunk)
        if total > limit:
            raise _failure(address, f"it is longer than {limit:,} bytes, CAMPAIGN_DOWNLOAD_LIMIT", BadInput)
        file.write(chunk)


def _failure(url: str, why: object, kind: type[CampaignError]) -> CampaignError:
    return kind(f"{url}: cannot be downloaded ({why}).", REMEDY)
