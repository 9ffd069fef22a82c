"""MLflow's records of a home that was moved or copied to another folder."""

import logging
from functools import lru_cache

import sqlalchemy as sa

from campaign.sqlite import sqlite_file

logger = logging.getLogger("campaign.home")
# Where MLflow has locations of artifacts: it takes them as they are, for ever.
LOCATIONS = {
    "experiments": ("artifact_location",),
    "runs": ("artifact_uri",),
    "logged_models": ("artifact_location",),
    "model_versions": ("source", "storage_location"),
}


@lru_cache(maxsize=8)
def follow(database: str, artifacts: str) -> None:
    """Have a home's MLflow look for artifacts where the home is now, once a process.

    `database` is the SQLAlchemy URL of its SQLite file, `artifacts` the URI of its folder of artifacts.
    """
    file = sqlite_file(database)
    if file is None or not file.exists():
        return
    engine, folder = sa.create_engine(database, poolclass=sa.NullPool), artifacts.rpartition("/")[2]
    with engine.begin() as connection:
        if not sa.inspect(connection).has_table("experiments"):
            return
        stored = connection.execute(sa.text("SELECT DISTINCT artifact_location FROM experiments")).scalars()
        for before in [uri for uri in stored if uri and uri.endswith(f"/{folder}") and uri != artifacts]:
            for table, columns in LOCATIONS.items():
                for column in columns:
                    connection.execute(
                        sa.text(
                            f"UPDATE {table} SET {column} = :now || substr({column}, :length + 1) "
                            f"WHERE substr({column}, 1, :length + 1) IN (:before, :before || '/')"
                        ),
                        {"now": artifacts, "before": before, "length": len(before)},
                    )
            logger.warning("The home has moved: MLflow's artifacts, which were in %s, are in %s.", before, artifacts)
