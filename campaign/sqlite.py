"""URLs of SQLite files, as SQLAlchemy, MLflow, Optuna and Prefect understand them."""

from pathlib import Path
from urllib.parse import unquote


def sqlite_url(file: Path, driver: str = "") -> str:
    """Of a file at an absolute path, whatever its folders are called."""
    if "?" not in str(file):
        return f"sqlite{driver and '+'}{driver}:///{file}"
    # Behind a ? SQLAlchemy would look for options. With the driver named, MLflow makes no folder called "file:".
    return f"sqlite+{driver or 'pysqlite'}:///file:{file.as_uri().removeprefix('file://')}?uri=true"


def sqlite_file(url: str) -> Path | None:
    """The file of a SQLite database; None for one in memory, or of another kind."""
    from sqlalchemy.engine import make_url

    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return None
    is_uri = parsed.database.startswith("file:")
    return Path(unquote(parsed.database.removeprefix("file:")) if is_uri else parsed.database)
