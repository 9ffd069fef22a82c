# Exit 0 if Grafana reads the metrics database as its user does: `bash health.sh`, in its container.
set -eu
login=$(printf 'admin:%s' "$(cat "$GF_SECURITY_ADMIN_PASSWORD__FILE")" | base64 -w 0)
exec 3<>/dev/tcp/127.0.0.1/3000
printf 'GET /api/datasources/uid/metrics/health HTTP/1.0\r\nAuthorization: Basic %s\r\n\r\n' "$login" >&3
[[ $(cat <&3) == *'"OK"'* ]]
