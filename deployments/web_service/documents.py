"""The bodies that OpenAPI describes, where the service and not FastAPI reads them."""

from typing import Any


def json_body(campaign: dict[str, Any]) -> dict[str, Any]:
    """One campaign."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": campaign}}}}


def table_body(campaign: dict[str, Any], most: int) -> dict[str, Any]:
    """Rows as JSON: whatever a row is, it is answered, with an error of its own if it is no campaign."""
    example = {field: about["examples"][0] for field, about in campaign["properties"].items() if "examples" in about}
    rows = {"type": "array", "items": {}, "description": f"up to {most:,} campaigns as in POST /predict"}
    wrapped = {"type": "object", "required": ["campaigns"], "properties": {"campaigns": rows}}
    schema = {"anyOf": [wrapped, rows], "examples": [{"campaigns": [example]}]}
    files = "or a file: text/csv or application/vnd.apache.parquet, with a column for each field"
    return {
        "requestBody": {"required": True, "description": files, "content": {"application/json": {"schema": schema}}}
    }
