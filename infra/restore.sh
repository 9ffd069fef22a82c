#!/bin/sh
# make restore DIR=…: put back what `make backup` saved, in place of what the stack holds now. Works on an empty stack too.
set -eu
dir=${1:?say which: make restore DIR=backups/2026-11-22}
if command -v sha256sum > /dev/null; then sha256=sha256sum; else sha256="shasum -a 256"; fi # as on macOS
is_intact() { grep " $1\$" "$dir/SHA256SUMS" | (cd "$dir" && $sha256 --check --status) 2> /dev/null; }
for file in prefect.dump mlflow.dump optuna.dump metrics.dump objects.tar; do
  [ -s "$dir/$file" ] || { echo "$dir holds no $file: it is no whole backup. Name the folder that make backup made." >&2; exit 1; }
  [ ! -e "$dir/SHA256SUMS" ] || is_intact "$file" || {
    echo "$dir/$file is damaged: its digest is not the one in SHA256SUMS. Nothing was changed. Restore another backup, or another copy of this one." >&2
    exit 1
  }
done
[ -e "$dir/SHA256SUMS" ] || echo "Warning: an earlier version made $dir, without SHA256SUMS: whether it is intact cannot be checked." >&2
docker compose stop
docker compose up -d --wait --no-build postgres
docker compose run --rm -T --no-deps postgres-setup # the roles that own what is restored
docker compose run --rm -T object-store-init
for database in prefect mlflow optuna metrics; do
  docker compose exec -T postgres pg_restore -U postgres -d postgres --clean --if-exists --create --exit-on-error < "$dir/$database.dump"
done
docker compose run --rm -T --no-deps archive sh -c \
  'find /data -mindepth 1 -delete && tar --extract --xattrs --xattrs-include="user.*" --no-overwrite-dir -C /data' < "$dir/objects.tar"
docker compose up -d --wait --no-build
echo "Restored from $dir."
