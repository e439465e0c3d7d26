"""Deploy an output folder the way the deploy patterns describe it, step by step.

Run it on the server, in the output folder: ``uv run --frozen mcc_deploy.py --stage prod``.
"""

import shutil
import subprocess
import sys
import time
import traceback
from datetime import datetime, timezone
from pathlib import Path

import requests
import typer
import yaml


def run(command: list[str], **options) -> subprocess.CompletedProcess:
    print("+ " + " ".join(command), flush=True)
    return subprocess.run(command, check=True, **options)


def load_conf(cwd: Path, name: str) -> dict:
    return yaml.safe_load((cwd / name).read_text())


def print_build_info(cwd: Path) -> None:
    build_info_path = cwd / "build_info.yml"
    if build_info_path.exists():
        info = yaml.safe_load(build_info_path.read_text())
        sha = (info.get("commit_sha") or "?")[:8]
        print(f"Deploying build #{info.get('build_number')} from {info.get('branch')} @ {sha}", flush=True)


# 1. Version directory creation


def create_version_dirs(deployment_path: Path) -> tuple[Path, Path]:
    timestamp = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H%M%S")
    version_name = f"vrs-{timestamp}"
    api_version_dir = deployment_path / "api" / version_name
    api_version_dir.mkdir(parents=True, exist_ok=True)
    ui_version_dir = deployment_path / "ui" / version_name
    ui_version_dir.mkdir(parents=True, exist_ok=True)
    return api_version_dir, ui_version_dir


# 2. Copy build artifacts


def copy_api_files(cwd: Path, version_dir: Path) -> None:
    shutil.copytree(cwd / "api", version_dir / "api")
    shutil.copytree(cwd / "shared", version_dir / "shared")
    for name in ["worker", "migrations"]:
        if (cwd / name).exists():
            shutil.copytree(cwd / name, version_dir / name)


def copy_ui_files(cwd: Path, version_dir: Path) -> None:
    shutil.copytree(cwd / "ui", version_dir, dirs_exist_ok=True)


def copy_scripts(cwd: Path, scripts_dir: Path) -> None:
    if (cwd / "scripts").exists():
        shutil.copytree(cwd / "scripts", scripts_dir, dirs_exist_ok=True)


# 3. Virtual environment sync


def sync_virtual_environment(cwd: Path, deployment_path: Path) -> None:
    shutil.copy2(cwd / "pyproject.toml", deployment_path / "pyproject.toml")
    shutil.copy2(cwd / "uv.lock", deployment_path / "uv.lock")
    run(["uv", "sync", "--frozen"], cwd=deployment_path)


# 4. Symlink update


def update_symlinks(deployment_path: Path, api_version_dir: Path, ui_version_dir: Path) -> None:
    for name, target in [("current-api", api_version_dir), ("current-ui", ui_version_dir)]:
        link = deployment_path / name
        if link.exists() or link.is_symlink():
            link.unlink()
        link.symlink_to(target)


# Database migrations


def run_migrations(deployment_path: Path, api_version_dir: Path, domains: list[str]) -> None:
    if domains:
        migrations_dir = api_version_dir / "shared" / "db" / "scripts" / "migrations"
        for domain in domains:
            migrate(deployment_path / "domains" / domain / "data.db", migrations_dir)
    else:
        migrate(deployment_path / "data.db", api_version_dir / "migrations")


def migrate(db_path: Path, migrations_dir: Path) -> None:
    if not migrations_dir.exists():
        return
    # Ensure migrations tracking table
    run(["sqlite3", str(db_path),
         "CREATE TABLE IF NOT EXISTS migrations "
         "(id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, "
         "applied_at INTEGER DEFAULT (strftime('%s', 'now')))"])  # fmt: skip

    for migration_file in sorted(migrations_dir.glob("*.sql")):
        name = migration_file.stem
        # Check if already applied
        result = run(["sqlite3", str(db_path),
                      f"SELECT COUNT(*) FROM migrations WHERE name='{name}'"],
                     capture_output=True, text=True)  # fmt: skip
        if int(result.stdout.strip()) > 0:
            continue
        # Apply
        run(["sqlite3", str(db_path), f".read {migration_file}"])
        run(["sqlite3", str(db_path), f"INSERT INTO migrations (name) VALUES ('{name}')"])


# 5. Service restart


def restart_service(service_name: str) -> None:
    run(["sudo", "/bin/systemctl", "restart", service_name])
    time.sleep(5)
    run(["sudo", "/bin/systemctl", "status", service_name])


def restart_services(services: list[str]) -> None:
    for service_name in services:
        restart_service(service_name)


# 6. Version cleanup


def cleanup_old_versions(builds_dir: Path, keep_count: int) -> None:
    dirs = sorted(
        [d for d in builds_dir.iterdir() if d.is_dir() and d.name.startswith("vrs-")],
        key=lambda p: p.name, reverse=True,
    )  # fmt: skip
    for old_dir in dirs[keep_count:]:
        shutil.rmtree(old_dir)


# 7. Smoke tests


def smoke_urls(conf: dict) -> list[str]:
    """``SMOKE_URLS``, for a machine without https; else the two addresses of each domain."""
    if "SMOKE_URLS" in conf:
        return conf["SMOKE_URLS"] or []
    domains = conf.get("DOMAINS") or []
    return [f"https://{domain}{path}" for domain in domains for path in ["/", "/api/public/health/health"]]


def smoke_test(urls: list[str]) -> None:
    for url in urls:
        resp = requests.get(url, timeout=10)
        if resp.status_code != 200:
            raise RuntimeError(f"Smoke test failed: {url} returned {resp.status_code}")


# 8. Permissions


def setup_permissions(deployment_path: Path, dir_user: str, dir_group: str) -> None:
    for name in ["api", "ui", ".venv", "domains", "logs"]:
        path = deployment_path / name
        if path.exists():
            run(["sudo", "chown", "-R", f"{dir_user}:{dir_group}", str(path)])
            run(["sudo", "chmod", "-R", "g+rw", str(path)])


# Cron job deployment


def deploy_cron_jobs(deployment_path: Path, scripts_dir: Path, cron_entries: list[dict]) -> None:
    log_dir = deployment_path / "logs"
    log_dir.mkdir(parents=True, exist_ok=True)

    for entry in cron_entries:
        script_path = scripts_dir / entry["script"]
        run(["chmod", "+x", str(script_path)])

        # fmt: off
        cron_line = f'{entry["schedule"]} cd {scripts_dir} && ./{entry["script"]} >> {log_dir}/{entry["log"]} 2>&1'
        marker = f'# {entry["marker"]}'
        cron_cmd = (
            f'(crontab -l 2>/dev/null | grep -v "{marker}" || true; '
            f'echo "{marker}"; echo "{cron_line}") | crontab -'
        )
        # fmt: on
        run(["bash", "-c", cron_cmd])


# Stages


def deploy(keep_builds: int, conf: dict) -> None:
    cwd = Path.cwd()
    deployment_path = Path(conf["REMOTE_BASE"])
    scripts_dir = deployment_path / "scripts"
    domains = conf.get("DOMAINS") or []
    services = conf.get("SERVICES") or ([conf["SERVICE_NAME"]] if "SERVICE_NAME" in conf else [])

    print_build_info(cwd)
    api_version_dir, ui_version_dir = create_version_dirs(deployment_path)
    copy_api_files(cwd, api_version_dir)
    copy_ui_files(cwd, ui_version_dir)
    copy_scripts(cwd, scripts_dir)
    sync_virtual_environment(cwd, deployment_path)
    update_symlinks(deployment_path, api_version_dir, ui_version_dir)
    run_migrations(deployment_path, api_version_dir, domains)
    restart_services(services)
    cleanup_old_versions(deployment_path / "api", keep_builds)
    cleanup_old_versions(deployment_path / "ui", keep_builds)
    smoke_test(smoke_urls(conf))
    if conf.get("DIR_USER"):
        setup_permissions(deployment_path, conf["DIR_USER"], conf["DIR_GROUP"])
    deploy_cron_jobs(deployment_path, scripts_dir, conf.get("CRON_JOBS") or [])


def clone_prod_to_dev(prod_conf: dict, dev_conf: dict) -> None:
    """Copy the databases, first domain to first domain and so on."""
    prod, dev = Path(prod_conf["REMOTE_BASE"]), Path(dev_conf["REMOTE_BASE"])
    for source, target in zip(prod_conf.get("DOMAINS") or [], dev_conf.get("DOMAINS") or []):
        shutil.copy2(prod / "domains" / source / "data.db", dev / "domains" / target / "data.db")


def main(stage: str = typer.Option(..., help="Deployment stage")) -> None:
    try:
        cwd = Path.cwd()
        config = yaml.safe_load(Path("config.yml").read_text())
        params = config["deploy"][stage].get("parameters", {})

        if stage == "clone-prod-to-dev":
            prod_conf = load_conf(cwd, params.get("conf-source", "conf-prod.yml"))
            dev_conf = load_conf(cwd, params.get("conf-target", "conf-dev.yml"))
            clone_prod_to_dev(prod_conf, dev_conf)
            return

        conf = load_conf(cwd, params.get("conf", "conf.yml"))
        deploy(params.get("keep_builds", 10), conf)
    except Exception as e:
        print(f"Deployment failed: {e}", file=sys.stderr)
        traceback.print_exc(file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    print("Starting deployment", flush=True)
    app = typer.Typer()
    app.command()(main)
    app()
    print("Finished deployment", flush=True)
