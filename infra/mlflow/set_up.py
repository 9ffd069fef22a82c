"""Make MLflow's users and what they may, before its server starts: `python -m infra.mlflow.set_up`.

`admin` is a person, `trainer` manages experiments and models, `reader` reads them. It writes MLflow's tables of logins
by MLflow's own store: the server would ask for the password of before, which nobody may know after a restore.
"""

import json
from pathlib import Path

from mlflow.exceptions import MlflowException
from mlflow.server.auth.config import read_auth_config
from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore

LOGINS = Path("/run/secrets/mlflow-logins")
WORKSPACE = "default"
# Every experiment and model, also those of before there were logins.
ROLES = {
    "trainer": {"workspace": "USE", "experiment": "MANAGE", "registered_model": "MANAGE"},
    "reader": {"experiment": "READ", "registered_model": "READ"},
}


def set_user(store: SqlAlchemyStore, name: str, password: str, is_admin: bool) -> None:
    if not store.has_user(name):
        store.create_user(name, password, is_admin=is_admin)
    elif not store.authenticate_user(name, password):
        store.update_user(name, password=password)


def set_role(store: SqlAlchemyStore, user: str, permissions: dict[str, str]) -> None:
    """Give a user a role of his own that permits this, and no more."""
    name = f"{user}s"
    try:
        role = store.get_role_by_name(WORKSPACE, name)
    except MlflowException:
        role = store.create_role(name=name, workspace=WORKSPACE)
    existing = {found.resource_type: found for found in store.list_role_permissions(role.id)}
    for kind, permission in permissions.items():
        found = existing.get(kind)
        if found is None:
            store.add_role_permission(role.id, kind, "*", permission)
        elif found.permission != permission:
            store.update_role_permission(found.id, permission)
    owner = store.get_user(user)
    if role.id not in {held.id for held in store.list_user_roles(owner.id)}:
        store.assign_role_to_user(owner.id, role.id)


def set_up(database_uri: str, logins: dict[str, str]) -> None:
    store = SqlAlchemyStore()
    store.init_db(database_uri)
    for name, password in logins.items():
        set_user(store, name, password, is_admin=name == "admin")
    for user, permissions in ROLES.items():
        set_role(store, user, permissions)


if __name__ == "__main__":
    set_up(read_auth_config().database_uri, json.loads(LOGINS.read_text()))
