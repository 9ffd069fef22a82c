"""The bodies that OpenAPI describes, where the service and not FastAPI reads them."""

from typing import Any

CAMPAIGN = {"$ref": "#/components/schemas/Campaign"}  # of the model in service, when the document is asked for
JSON_BODY = {"requestBody": {"required": True, "content": {"application/json": {"schema": CAMPAIGN}}}}


def table_body(most: int) -> dict[str, Any]:
    """Rows as JSON: whatever a row is, it is answered, with an error of its own if it is no campaign."""
    rows = {"type": "array", "items": {}, "description": f"up to {most:,} campaigns as in POST /predict"}
    wrapped = {"type": "object", "required": ["campaigns"], "properties": {"campaigns": rows}}
    schema = {"anyOf": [wrapped, rows]}
    files = "or a file: text/csv or application/vnd.apache.parquet, with a column for each field"
    return {
        "requestBody": {"required": True, "description": files, "content": {"application/json": {"schema": schema}}}
    }
