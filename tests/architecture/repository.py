"""The repository as the architecture tests see it: its files, its dependencies, its import rules."""

import re
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "wch"

# Where the name to import differs from the name to install.
IMPORTED_AS = {"pymysql": "pymysql", "prometheus-client": "prometheus_client", "opentelemetry-api": "opentelemetry"}
# Installed and never imported: tables of time zones.
DATA_ONLY = {"tzdata"}


@cache
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def contracts() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = project()["tool"]["importlinter"]["contracts"]
    return found


def distribution(requirement: str) -> str:
    """The name in a requirement, as packaging compares names."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found, requirement
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def modules(requirements: list[str]) -> set[str]:
    """What is imported of these requirements, leaving out the project's own extras."""
    names = {distribution(requirement) for requirement in requirements} - DATA_ONLY - {"wch"}
    return {IMPORTED_AS.get(name, name.replace("-", "_")) for name in names}


def runtime_modules() -> set[str]:
    return modules(project()["project"]["dependencies"]) | extra_modules()


def extra_modules() -> set[str]:
    extras: dict[str, list[str]] = project()["project"]["optional-dependencies"]
    return {module for name, wanted in extras.items() if name != "dev" for module in modules(wanted)}


def tracked() -> list[Path]:
    """The files that a clone has; without git, what lies there and is not hidden or made."""
    answer = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607 -- whichever git is there
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if answer.returncode == 0:
        found = [ROOT / name for name in answer.stdout.decode().split("\0") if name]
    else:
        found = [path for path in ROOT.rglob("*") if not {".venv", "__pycache__"} & set(path.parts)]
    return [path for path in found if path.is_file()]


def texts() -> Iterator[tuple[Path, str]]:
    for path in tracked():
        try:
            yield path.relative_to(ROOT), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
