"""Which schema a training is under: the one that is named, or else the home's; and with which feature set."""

from prefect import task

from campaign.errors import BadInput
from campaign.schema import Schema
from campaign.schema_file import feature_set_of, home_schema, read_schema
from tasks.mlflow_run import mlflow_client
from tasks.model_versions import CHAMPION
from tasks.retries import RETRIES


def find_schema(uri: str | None, feature_set: str | None) -> Schema:
    """Raises `BadInput` for a file that is no schema, a feature set that there is not, or a home of another model."""
    schema = read_schema(uri) if uri else home_schema()
    refuse_second_model(schema)
    return schema.select(feature_set_of(feature_set)) if feature_set else schema


def refuse_second_model(schema: Schema, command: str = "train") -> None:
    """Raises `BadInput` if this home has a champion of another name: metrics, reports and folders name no model."""
    others = [name for name in champions_here() if not is_of_family(name, schema.name)]
    if others:
        raise BadInput(
            f"This home serves {others[0]}, and a home serves one model; {schema.name} needs one of its own.",
            f"Run: campaign --home .campaign-{schema.name} {command} …",
        )


def is_of_family(model: str, name: str) -> bool:
    """Whether a registered model is that of a schema, in one of its feature sets."""
    return model == name or model in {f"{name}-{feature_set}" for feature_set in ("launch", "running", "all")}


def champions_here() -> list[str]:
    """The registered models of this project that have a champion; others may share the registry."""
    client, found = mlflow_client(), []
    for registered in client.search_registered_models(max_results=1000):
        number = registered.aliases.get(CHAMPION)
        if number is not None and "feature_set" in client.get_model_version(registered.name, number).tags:
            found.append(registered.name)
    return found


@task(timeout_seconds=120, **RETRIES)
def choose_schema(uri: str | None, feature_set: str | None) -> Schema:
    """The schema that everything after it goes by."""
    return find_schema(uri, feature_set)
