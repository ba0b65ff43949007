"""The import rules hold, and they say what they are meant to say."""

import resource
import subprocess
import sys

from tests.architecture.repository import ROOT, contracts, extra_modules, runtime_modules

FORBIDDEN = {
    tuple(found["source_modules"]): set(found["forbidden_modules"])
    for found in contracts()
    if found["type"] == "forbidden"
}

# What a layer may use of what is installed, and why.
DOMAIN_MAY_USE = {"attrs"}  # values
APPLICATION_MAY_USE = {"attrs", "babel", "phonenumbers"}  # values; tables of facts, pure and without input or output


def test_dependencies_point_inwards() -> None:
    """All contracts of pyproject.toml, the exhaustive layers first.

    In an interpreter of its own: import-linter switches off every logger that it finds,
    and other tests read what is logged.
    """
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_layers_are_exhaustive() -> None:
    """A new top-level module fails until somebody says where it belongs."""
    (layers,) = [found for found in contracts() if found["type"] == "layers"]

    assert layers["exhaustive"]
    assert layers["layers"] == ["entrypoints", "bootstrap", "adapters", "application", "domain"]


def test_every_dependency_is_forbidden_to_the_domain_but_attrs() -> None:
    """A new dependency stands in the list, or here with a reason."""
    assert runtime_modules() - FORBIDDEN[("wch.domain",)] == DOMAIN_MAY_USE


def test_every_dependency_is_forbidden_to_the_application_but_tables_of_facts() -> None:
    assert runtime_modules() - FORBIDDEN[("wch.application",)] == APPLICATION_MAY_USE


def test_what_the_application_may_not_use_the_domain_may_not_either() -> None:
    assert FORBIDDEN[("wch.application",)] <= FORBIDDEN[("wch.domain",)]


def _in_a_fresh_interpreter(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_importing_wch_needs_no_extra() -> None:
    """A host that embeds the hub in memory installs nothing else."""
    loaded = set(
        _in_a_fresh_interpreter("import sys, wch; print(*{name.partition('.')[0] for name in sys.modules})").split()
    )

    assert not loaded & extra_modules()


def test_importing_wch_takes_less_than_three_tenths_of_a_second() -> None:
    """A command line that starts slowly is not used. Best of five, interpreter included, on a processor of its own."""
    durations = []
    for _ in range(5):
        began = _spent_by_children()
        _in_a_fresh_interpreter("import wch")
        durations.append(_spent_by_children() - began)

    assert min(durations) < 0.3


def _spent_by_children() -> float:
    """Seconds of processor that ended children have used: what they wait for while others run is not theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_importing_wch_changes_nothing_of_the_hosts() -> None:
    """No root logger, no signal handler, no thread, no warning filter, no open file."""
    code = (
        "import logging, signal, threading, warnings\n"
        "def state():\n"
        "    handlers = [signal.getsignal(number) for number in signal.valid_signals()]\n"
        "    root = logging.getLogger()\n"
        "    return handlers, list(root.handlers), root.level, threading.active_count(), list(warnings.filters)\n"
        "before = state()\n"
        "import wch\n"
        "assert state() == before, (before, state())\n"
    )

    assert _in_a_fresh_interpreter(code) == ""
