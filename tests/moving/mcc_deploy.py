"""The project's own deploy script, as it is today: one version folder for api and ui, crontab text, setup_db.py."""

import argparse
import os
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import yaml


def load(stage: str) -> tuple[dict, dict]:
    parameters = yaml.safe_load(Path("mcc_config.yml").read_text())["deploy"][stage]["parameters"]
    text = Path("mcc", parameters["conf"]).read_text()
    values = yaml.safe_load(text)
    conf = yaml.safe_load(re.sub(r"\{\{(\w+)\}\}", lambda match: str(values[match[1]]), text))
    return conf, parameters


def place(base: Path) -> Path:
    version = base / "versions" / datetime.now(UTC).strftime("vrs-%Y-%m-%dT%H%M%S")
    for name in ("api", "db", "ui"):
        shutil.copytree(name, version / name)
    shutil.copytree("scripts", base / "scripts", dirs_exist_ok=True)
    (base / "logs").mkdir(exist_ok=True)
    return version


def sync(base: Path) -> None:
    for name in ("pyproject.toml", "uv.lock"):
        shutil.copy2(name, base / name)
    subprocess.run(["uv", "sync", "--frozen"], cwd=base, check=True)


def set_up_databases(base: Path, version: Path, schemas: list, first: bool) -> None:
    variables = dict(line.split("=", 1) for line in (base / ".env").read_text().splitlines())
    for schema in schemas:
        words = [base / ".venv/bin/python", version / "db/setup_db.py", "create" if first else "update", schema]
        subprocess.run(words, check=True, env={**os.environ, **variables})


def switch(base: Path, version: Path) -> None:
    for name, target in (("current-api", version), ("current-ui", version / "ui")):
        link = base / name
        if link.is_symlink():
            link.unlink()
        link.symlink_to(target)


def install_crontab(text: str) -> None:
    old = subprocess.run(["crontab", "-l"], capture_output=True, text=True).stdout
    subprocess.run(["crontab", "-"], input=old + text, text=True, check=True)


def clean_up(base: Path, keep: int) -> None:
    for old in sorted((base / "versions").glob("vrs-*"))[:-keep]:
        shutil.rmtree(old)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--stage", required=True)
    conf, parameters = load(parser.parse_args().stage)
    base = Path(conf["REMOTE_BASE"])
    first = not (base / "current-api").exists()
    version = place(base)
    sync(base)
    set_up_databases(base, version, conf["DATABASE_SCHEMA"], first)
    switch(base, version)
    install_crontab(conf["CRON_JOBS"])
    if conf.get("SERVICE_MANAGER") != "none":
        subprocess.run(["sudo", "/bin/systemctl", "restart", conf["SERVICE_NAME"]], check=True)
    clean_up(base, parameters["keep_builds"])


if __name__ == "__main__":
    main()
