"""Holds deploy/ and the pipelines against their schemas, and their settings against the binary: KEYWARD ROOT FOLDER."""

import json
import re
import subprocess
import sys
from pathlib import Path

import yaml

KEYWARD, ROOT, FOLDER = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
TOOLS = Path(sys.executable).parent
OVERLAYS = ROOT / "deploy/kubernetes/overlays"
# The oldest that knows all that we write (preStop.sleep), and the newest that the tool knows.
KUBERNETES = ["1.30", "1.37"]
# Kinds that are not Kubernetes' own, for which there is no schema here.
FOREIGN = {"ServiceMonitor", "PrometheusRule"}
# Keyward ends within so many seconds of SIGTERM.
STOP_SECONDS = 25


def run(*command, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def schemas():
    for schema, files in [
        ("vendor.compose-spec", ["deploy/compose.yml"]),
        ("vendor.github-workflows", sorted((ROOT / ".github/workflows").glob("*.yml"))),
        ("vendor.gitlab-ci", [".gitlab-ci.yml"]),
    ]:
        assert files, schema
        run(TOOLS / "check-jsonschema", "--builtin-schema", schema, *(ROOT / file for file in files))


def kubernetes(overlay):
    """Renders an overlay, holds it against the schemas, and returns its objects."""
    rendered = run(TOOLS / "kubectl", "kustomize", OVERLAYS / overlay)
    path = FOLDER / f"{overlay}.yaml"
    objects = list(yaml.safe_load_all(rendered))
    own = [object for object in objects if object["kind"] not in FOREIGN]
    path.write_text(yaml.safe_dump_all(own))
    for version in KUBERNETES:
        # One that it has no schema for is a warning, and must not pass as good.
        said = run(TOOLS / "kubernetes-validate", "--strict", "-k", version, path, stderr=None)
        assert "WARN" not in said, said
    return objects


def settings_are_taken(environment, secrets):
    """Unknown names and values that make no sense are errors of `config check`."""
    moved = {
        name: str(secrets / Path(value).name) if name.endswith("_FILE") else str(value)
        for name, value in environment.items()
    }
    said = run(KEYWARD, "config", "check", env=moved, cwd=FOLDER)
    assert "warning" not in said, said


def one(objects, kind, name="keyward"):
    (found,) = [object for object in objects if (object["kind"], object["metadata"]["name"]) == (kind, name)]
    return found


def deployment_fits(objects):
    pod = one(objects, "Deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    wait = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["terminationGracePeriodSeconds"] >= wait + STOP_SECONDS
    ports = {port["name"]: str(port["containerPort"]) for port in container["ports"]}
    settings = one(objects, "ConfigMap", container["envFrom"][0]["configMapRef"]["name"])["data"]
    assert settings["KEYWARD_LISTEN"].endswith(":" + ports["http"])
    assert settings["KEYWARD_MANAGEMENT_LISTEN"].endswith(":" + ports["management"])
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"]:
        assert container[probe]["httpGet"]["port"] == "management"
    return settings


def staging_fits(objects):
    settings = deployment_fits(objects)
    connections = int(settings["KEYWARD_DATABASE_MAX_CONNECTIONS"])
    most = one(objects, "HorizontalPodAutoscaler")["spec"]["maxReplicas"]
    # PostgreSQL has 100 by default, of which it keeps 3; one replica more lives while they are replaced, and the Job.
    assert (most + 1) * connections + 2 <= 97
    assert one(objects, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    assert one(objects, "ServiceMonitor") and one(objects, "PrometheusRule")
    json.loads(one(objects, "ConfigMap", "keyward-dashboard")["data"]["keyward.json"])
    return settings


def image_fits():
    dockerfile = (ROOT / "Dockerfile").read_text()
    toolchain = re.search(r'channel = "(.+)"', (ROOT / "rust-toolchain.toml").read_text())[1]
    assert f"/rust:{toolchain}-" in dockerfile, "the image is built by another Rust than everything else"
    version = re.search(r'(?m)^version = "(.+)"', (ROOT / "Cargo.toml").read_text())[1]
    assert f"ARG VERSION={version}\n" in dockerfile
    members = re.search(r"(?m)^members = \[(.+)\]", (ROOT / "Cargo.toml").read_text())[1]
    copied = (ROOT / ".dockerignore").read_text().split()
    for member in re.findall(r'"([\w-]+)[^"]*"', members):
        assert f"!{member}" in copied, f"cargo would miss {member} in the image's build: see .dockerignore"


def main():
    schemas()
    image_fits()
    secrets = FOLDER / "secrets"
    run("sh", ROOT / "deploy/compose/secrets.sh", secrets)
    made = {path: path.read_text() for path in secrets.rglob("*") if path.is_file()}
    run("sh", ROOT / "deploy/compose/secrets.sh", secrets)
    assert made == {path: path.read_text() for path in made}, "secrets changed in a second run"

    compose = (ROOT / "deploy/compose.yml").read_text()
    for profile in ["", "kafka"]:
        chosen = compose.replace("${COMPOSE_PROFILES:+_}", profile and "_").replace("${COMPOSE_PROFILES:-}", profile)
        services = yaml.safe_load(chosen)["services"]
        settings_are_taken(services["keyward"]["environment"], secrets / "keyward")
        assert (secrets / "user-service" / Path(services["user-service"]["environment"]["EVENTS_URL_FILE"]).name).exists()

    settings_are_taken(deployment_fits(kubernetes("dev")), secrets / "keyward")
    settings_are_taken(staging_fits(kubernetes("staging")), secrets / "keyward")


if __name__ == "__main__":
    main()
