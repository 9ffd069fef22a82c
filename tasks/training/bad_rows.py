"""What is wrong with the bad rows of a data set, and when there are too many for the others to stand for it."""

from collections.abc import Sequence

import pyarrow as pa

from campaign.errors import BadInput

LISTED_REASONS, LISTED_ROWS = 4, 3


def common_reasons(rejected: Sequence[pa.Table]) -> str:
    """The first of them, for a log."""
    return ", ".join(sorted({reason for table in rejected for reason in table.column("reasons").to_pylist()})[:3])


def refuse_if_most_are_bad(origin: str, rejected: Sequence[pa.Table], read: int, limit: float, quarantine: str) -> None:
    """Raises `BadInput` if more than this share of the rows read are bad, with the reasons counted and first rows."""
    bad = sum(map(len, rejected))
    if bad <= limit * read:
        return
    rows: dict[str, list[int]] = {}
    for table in rejected:
        for reasons, row in zip(table.column("reasons").to_pylist(), table.column("row").to_pylist(), strict=True):
            for reason in reasons.split("; "):
                rows.setdefault(reason, []).append(row)
    most = sorted(rows.items(), key=lambda item: -len(item[1]))[:LISTED_REASONS]
    causes = "; ".join(f"{reason} in {len(at):,} ({_first(at)})" for reason, at in most)
    raise BadInput(
        f"{origin}: {bad:,} of {read:,} rows are bad, more than CAMPAIGN_QUARANTINE_LIMIT ({limit:.0%}): {causes}.",
        "Mend the file, or the schema, usually by one line (nullable, minimum, missingValues). "
        f"They are in {quarantine} with their reasons.",
    )


def _first(rows: Sequence[int]) -> str:
    listed = ", ".join(map(str, rows[:LISTED_ROWS]))
    return f"row{'s' if len(rows) > 1 else ''} {listed}{', …' if len(rows) > LISTED_ROWS else ''}"
