"""The published data set's schema and its columns, as most tests use them."""

from pathlib import Path

from campaign import schema_file
from campaign.schema_file import parse_schema, published

SCHEMA = published()
LAUNCH = SCHEMA.select("launch")
PUBLISHED_TOML = Path(schema_file.__file__).with_name("published.toml").read_text()
MOOD = """
[[column]]
name = "Mood"
type = "number"
known = "at launch"
minimum = 0
"""
WIDER = parse_schema(PUBLISHED_TOML + MOOD)  # one column more
SCHEMAS = {"published": SCHEMA, "launch": LAUNCH, "wider": WIDER}
FEATURES = SCHEMA.features
BY_NAME = {column.name: column for column in FEATURES}
NAMES = tuple(BY_NAME)
NUMBERS = tuple(column.name for column in FEATURES if not column.is_category)
CATEGORIES = tuple(column.name for column in FEATURES if column.is_category)
KNOWN_CATEGORIES = {column.name: column.categories for column in FEATURES if column.is_category}
