#!/usr/bin/env bash
# python-base.sh IMAGE: a local image that stands in for python:3.12-slim-bookworm, of Debian and this machine's CPython.
# Needs root, a Docker engine, Debian's archive and a CPython 3.12 (PY=/its/prefix if it is not found). About a minute.
# Ordinary Dockerfiles then build unmodified: the image trusts the certificate authorities that this machine trusts.
set -euo pipefail
image=${1:?say how to tag it}
version=3.12
find_python() {
  local found
  for found in "python$version" "$HOME"/.pyenv/versions/"$version".*/bin/"python$version" /opt/*/bin/"python$version"; do
    found=$(command -v "$found") && "$found" -c 'import sys; print(sys.base_prefix)' 2>/dev/null && return
  done
  return 1
}
python=${PY:-$(find_python)} || { echo "No CPython $version was found: set PY to its prefix." >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get update -qq
apt-get download -qq debootstrap
dpkg -x debootstrap_*.deb debootstrap
mirror=$(awk '/^URIs:/{print $2; exit}' /etc/apt/sources.list.d/debian.sources 2>/dev/null || true)
mirror=${mirror:-http://deb.debian.org/debian}
root=$work/root
DEBOOTSTRAP_DIR=$PWD/debootstrap/usr/share/debootstrap debootstrap/usr/sbin/debootstrap --variant=minbase \
  --keyring=/usr/share/keyrings/debian-archive-keyring.gpg --include=ca-certificates bookworm "$root" "$mirror" >/dev/null
cp /etc/resolv.conf "$root/etc/resolv.conf"
chroot "$root" apt-get update -qq
chroot "$root" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
  libssl3 libsqlite3-0 libffi8 libbz2-1.0 liblzma5 zlib1g libreadline8 libncursesw6 libuuid1 libexpat1 libnsl2 \
  libtirpc3 libgdbm6 netbase tzdata >/dev/null
tar -C "$python" --exclude=test --exclude='config-*' --exclude=site-packages --exclude=__pycache__ --exclude='*.a' \
  --exclude=idlelib --exclude=tkinter --exclude=pkgconfig -c lib include | tar -C "$root/usr/local" -x
install -m755 "$python/bin/python$version" "$root/usr/local/bin/python$version"
ln -sf "python$version" "$root/usr/local/bin/python3"
ln -sf python3 "$root/usr/local/bin/python"
mkdir -p "$root/usr/local/lib/python$version/site-packages"
chroot "$root" ldconfig
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
chroot "$root" /usr/local/bin/python -m ensurepip --upgrade --default-pip >/dev/null
chroot "$root" apt-get clean
find "$root/var/lib/apt/lists" "$root/usr/share/doc" "$root/usr/share/man" -mindepth 1 -delete
tar -C "$root" -c . | docker import \
  -c 'ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin' -c 'ENV LANG=C.UTF-8' \
  -c 'ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt' -c 'ENV REQUESTS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt' \
  -c 'CMD ["python3"]' - "$image" >/dev/null
