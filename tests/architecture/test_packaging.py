"""What is installed is pinned, and what is shipped is whole."""

import re
from importlib.metadata import version

import pytest
from packaging.requirements import Requirement

from tests.architecture.repository import ROOT, SOURCE, distribution, project

PINS = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
WANTED = sorted(
    {
        *project()["build-system"]["requires"],
        *project()["project"]["dependencies"],
        *(wanted for extra in project()["project"]["optional-dependencies"].values() for wanted in extra),
    }
)


@pytest.mark.parametrize("pin", PINS)
def test_a_pin_is_a_name_and_a_version_and_nothing_else(pin: str) -> None:
    """An address or a hash would tie the project to one registry or one kind of machine."""
    assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+_-]+", pin)


@pytest.mark.parametrize("wanted", [wanted for wanted in WANTED if distribution(wanted) != "wch"])
def test_a_dependency_is_pinned_to_a_version_that_it_allows(wanted: str) -> None:
    pinned = dict(pin.split("==") for pin in PINS)
    pinned = {distribution(name): number for name, number in pinned.items()}
    requirement = Requirement(wanted)

    assert requirement.specifier.contains(pinned[distribution(requirement.name)], prereleases=True)


def test_the_version_that_is_installed_is_the_one_that_is_written() -> None:
    assert version("wch") == project()["project"]["version"]


def test_the_package_says_that_it_is_typed() -> None:
    assert (SOURCE / "py.typed").is_file()


def test_the_changelog_has_the_present_version_or_what_comes_next() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    assert "## [Unreleased]" in changelog or f"## [{project()['project']['version']}]" in changelog
