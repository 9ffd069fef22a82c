"""Say what rows without an id, and equal rows, were taken for."""

import pyarrow as pa

from campaign.schema import ID, Schema
from tasks.training.propose_schema import find_id_column, profile_columns, read_sample


def has_given_ids(rows: pa.RecordBatch, schema: Schema) -> bool:
    """Whether a file has a column of ids, under the schema's name or as CampaignID."""
    return not {schema.row.id, ID}.isdisjoint(rows.schema.names)


def identity_remarks(uri: str, schema: Schema, has_ids: bool, equal_rows: int) -> list[str]:
    """Sentences on the rows of a data set, none if they have ids that differ."""
    remarks = []
    if not has_ids:
        column, _ = find_id_column(profile_columns(read_sample(uri)[0]))
        if column:
            wanted = f"no column {schema.row.id or ID}"
            remarks.append(
                f"There is {wanted}, so rows go by their values. {column} differs in every row: if it is their id, say "
                f'id = "{column}" under [row] in the schema.'
            )
    if equal_rows:
        remarks.append(
            f"{equal_rows:,} rows equal an earlier one in all that tells rows apart, and count as campaigns of their "
            "own. If they are repeats, leave them out; if they differ, name the column that holds their id."
        )
    return remarks
