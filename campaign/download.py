"""A file on the web, brought here whole or not at all."""

import http.client
import shutil
import urllib.request
from pathlib import Path, PurePosixPath
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit, urlunsplit

from campaign.errors import BadInput, CampaignError, StoreError
from campaign.files import is_text_file

TIMEOUT = 60  # seconds without a byte
REMEDY = "Check the address, or download it by hand."


def is_web(source: str) -> bool:
    return source.lower().startswith(("http://", "https://"))


def name_in(url: str) -> str:
    """The name of the file that an address ends in; it may be empty."""
    return PurePosixPath(unquote(urlsplit(url).path)).name


def download(url: str, folder: Path, prefix: str = "") -> Path:
    """The file under its own name behind `prefix`, with .csv added where only the server says that it is CSV.

    Raises `StoreError` when the site is away or breaks off, which may pass, and `BadInput` when it refuses.
    """
    shown = urlunsplit(urlsplit(url)._replace(query="", fragment=""))  # a signature would be a secret
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".{prefix}{name_in(url) or 'campaigns'}"
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as response, partial.open("wb") as file:
            shutil.copyfileobj(response, file, 1 << 20)
            kind, promised = response.headers.get_content_type(), response.headers.get("Content-Length")
        # Python takes a connection that ends early for the end of the file; half a CSV would pass for a whole one.
        if promised is not None and partial.stat().st_size != int(promised):
            raise _failure(shown, f"it ended after {partial.stat().st_size} of {promised} bytes", StoreError)
        name = partial.name.removeprefix(".")
        if kind == "text/csv" and not is_text_file(name):
            name += ".csv"
        return partial.replace(folder / name)
    except HTTPError as error:
        refused = error.code < 500  # what was refused once is refused again
        raise _failure(shown, f"{error.code} {error.reason}", BadInput if refused else StoreError) from error
    except (OSError, http.client.HTTPException) as error:  # a timeout and a bad certificate are OSErrors
        raise _failure(shown, getattr(error, "reason", error), StoreError) from error
    except ValueError as error:  # no address at all
        raise _failure(shown, error, BadInput) from error
    finally:
        partial.unlink(missing_ok=True)


def _failure(url: str, why: object, kind: type[CampaignError]) -> CampaignError:
    return kind(f"{url}: cannot be downloaded ({why}).", REMEDY)
