#!/bin/sh
# make restore DIR=…: put back what `make backup` saved, in place of what the stack holds now. Works on an empty stack too.
set -eu
dir=${1:?say which: make restore DIR=backups/2026-11-22}
for file in prefect.dump mlflow.dump optuna.dump metrics.dump objects.tar; do
  [ -s "$dir/$file" ] || { echo "$dir holds no $file: it is no whole backup. Name the folder that make backup made." >&2; exit 1; }
done
docker compose stop
docker compose up -d --wait --no-build postgres
docker compose run --rm -T object-store-init
for database in prefect mlflow optuna metrics; do
  docker compose exec -T postgres pg_restore -U postgres -d postgres --clean --if-exists --create --exit-on-error < "$dir/$database.dump"
done
docker compose run --rm -T --no-deps archive sh -c \
  'find /data -mindepth 1 -delete && tar --extract --xattrs --xattrs-include="user.*" --no-overwrite-dir -C /data' < "$dir/objects.tar"
docker compose up -d --wait --no-build
echo "Restored from $dir."
