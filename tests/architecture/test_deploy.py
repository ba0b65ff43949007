"""What is shipped for running the hub names only what there is."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.architecture.repository import ROOT
from wch.entrypoints.cli.commands import wch
from wch.entrypoints.http.tallied import COUNTED, TIMED

DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: str(unit.name))
def test_units_start_commands_that_there_are(unit: Path) -> None:
    """With their options: a unit that does not start is found at the worst of times."""
    for line in re.findall(r"^ExecStart(?:Pre)?=/opt/wch/bin/wch (.+)$", unit.read_text(), re.MULTILINE):
        done = CliRunner().invoke(wch, [*line.split(), "--help"])

        assert done.exit_code == 0, done.output


def test_compose_and_container_start_commands_that_there_are() -> None:
    """The same for `command` and `CMD`."""
    texts = [path.read_text() for path in (DEPLOY / "Containerfile", *DEPLOY.glob("*.yaml"))]
    commands = [
        re.findall(r'"([^"]*)"', line)
        for text in texts
        for line in re.findall(r"^(?:CMD|    command:) (\[.*\])$", text, re.MULTILINE)
    ]
    ours = [words for words in commands if not words[0].startswith("--")]

    assert len(ours) == 4
    for words in ours:
        assert CliRunner().invoke(wch, [*words, "--help"]).exit_code == 0, words


def test_alerts_ask_for_metrics_that_there_are() -> None:
    """An alert over a name that nobody writes never fires."""
    asked = set(re.findall(r"\b(wch_[a-z_]+)", (DEPLOY / "alerts.yaml").read_text()))
    looked = (ROOT / "src/wch/entrypoints/http/metrics.py").read_text()
    tallied = {f"wch_{name}" for name in (*COUNTED, *TIMED)} | {"wch_transaction_retries"}
    written = tallied | set(re.findall(r'"(wch_[a-z_]+)"', looked))

    assert len(asked) >= 8
    assert {name for name in asked if name.removesuffix("_total") not in written} == set()
