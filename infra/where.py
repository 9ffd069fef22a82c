"""Say where the stack's pages are, who may log in, and what to do next: `python -m infra.where [ENV_FILE]`."""

import sys
from pathlib import Path

from infra.write_env import read_env

env = read_env(Path(sys.argv[1] if len(sys.argv) > 1 else ".env"))
data = env.get("CAMPAIGN_DATASET") or "the store's base/campaigns.parquet"
grafana = "left out"
if "grafana" in env.get("COMPOSE_PROFILES", ""):
    grafana = f"http://localhost:3000   user admin, password {env['GRAFANA_PASSWORD']}"
prometheus = "left out"
if {"grafana", "prometheus"} & set(env.get("COMPOSE_PROFILES", "").split(",")):
    prometheus = "http://localhost:9090   the web service's figures; asks for no login"

print(f"""
Web       http://localhost:8000   the page for marketers; its interface at /docs
Prefect   http://localhost:4200   password admin:{env["PREFECT_PASSWORD"]}
MLflow    http://localhost:5000   user admin, password {env["MLFLOW_ADMIN_PASSWORD"]}
Grafana   {grafana}
Figures   {prometheus}
S3        http://localhost:7070   browse at http://localhost:7071
          bucket campaign; access key reader, secret key {env["S3_READER_SECRET"]}, for predictions/
          everything: access key {env["S3_ACCESS_KEY"]}, secret key {env["S3_SECRET_KEY"]}

Next, in this folder:
  make stack-demo                                                          play the demo's days through the stack
  .venv/bin/prefect deployment run training/weekly -p trials=20            train on {data}
  .venv/bin/prefect deployment run batch-scoring/daily -p day=2026-11-01   score one day
  make down                                                                stop; the data stays
""")
