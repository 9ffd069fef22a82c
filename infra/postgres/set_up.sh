#!/bin/sh
# One database and one role per tool; Grafana may only read the tables of metrics. It runs at each start of the stack, makes
# what is missing, and gives a role that cannot log in the password of postgres-roles. Passwords stand in no command line.
set -eu
secrets=/run/secrets
PGPASSWORD=$(cat "$secrets/postgres-password")
export PGHOST=${PGHOST:-postgres} PGPASSWORD
sql() { psql -v ON_ERROR_STOP=1 --quiet --no-psqlrc --tuples-only --username postgres --dbname "$1"; }
can_log_in() { PGPASSWORD=$2 psql --quiet --username "$1" --dbname postgres --command '' 2>/dev/null; }

while read -r role password; do
  can_log_in "$role" "$password" && continue
  sql postgres <<SQL
SELECT 'CREATE ROLE $role LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '$role') \gexec
ALTER ROLE $role LOGIN PASSWORD '$password';
SQL
  echo "Role $role has its password."
done < "$secrets/postgres-roles"

for database in prefect mlflow optuna metrics; do
  sql postgres <<SQL
SELECT 'CREATE DATABASE $database OWNER $database' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '$database') \gexec
REVOKE ALL ON DATABASE $database FROM PUBLIC;
SQL
done
echo 'CREATE EXTENSION IF NOT EXISTS pg_trgm' | sql prefect 2>&1
sql metrics <<'SQL'
GRANT CONNECT ON DATABASE metrics TO grafana;
GRANT USAGE ON SCHEMA public TO grafana;
ALTER DEFAULT PRIVILEGES FOR ROLE metrics IN SCHEMA public GRANT SELECT ON TABLES TO grafana;
SQL
