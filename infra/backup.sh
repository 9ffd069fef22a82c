#!/bin/sh
# make backup DIR=…: the stack's databases and objects as files, taken while nobody writes. Needs the stack to be up.
#   FOLDER/prefect.dump mlflow.dump optuna.dump metrics.dump   pg_dump's custom format
#   FOLDER/objects.tar                                         the object store's volume, extended attributes included
#   FOLDER/SHA256SUMS                                          digests of these five, which make restore checks
set -eu
umask 077 # dumps hold every campaign: they are for this user alone
dir=${1:?say where: make backup DIR=backups/2026-11-22}
if [ -e "$dir" ]; then echo "$dir is there already. Name a folder that is not." >&2; exit 1; fi
if command -v sha256sum > /dev/null; then sha256=sha256sum; else sha256="shasum -a 256"; fi # as on macOS
running=$(docker compose ps --services --status running)
case " $(echo $running) " in *" postgres "*) ;; *) echo "The stack is not running. Start it first: make up" >&2; exit 1 ;; esac
partial=$dir.partial
rm -rf "$partial" && mkdir -p "$partial"
writers=$(echo "$running" | grep -v '^postgres$')
resume() { docker compose up -d --wait --no-build; }
trap 'echo "Backup failed; nothing was kept. Starting the stack again." >&2; rm -rf "$partial"; resume' EXIT
trap 'exit 130' INT TERM # dash runs the trap above at an exit alone, and not at Ctrl-C
docker compose stop $writers
for database in prefect mlflow optuna metrics; do
  docker compose exec -T postgres pg_dump -U postgres --format=custom "$database" > "$partial/$database.dump"
done
docker compose run --rm -T --no-deps archive tar --create --xattrs --xattrs-include='user.*' -C /data . > "$partial/objects.tar"
(cd "$partial" && $sha256 *.dump objects.tar > SHA256SUMS)
mv "$partial" "$dir"
trap - EXIT
resume
echo "Backup is in $dir ($(du -sh "$dir" | cut -f1))."
