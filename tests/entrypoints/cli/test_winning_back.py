"""What customers looked at, and winning them back, on the command line."""

import pytest

from tests.entrypoints.cli.conftest import Line
from tests.sale.script import ANNA


def test_products_that_were_looked_at_are_listed(line: Line) -> None:
    """In figures, by look, and of one customer; a script gets the same as JSON."""
    (seen, *_) = line.json("products", "views")["data"]
    looks = line.json("products", "views", "--each", "--product", str(seen["product_id"]))["data"]
    hers = line.json("products", "views", "--customer", ANNA)["data"]

    assert seen["views"] == len(looks) >= 1
    assert seen["product_id"] in [one["product_id"] for one in hers]
    assert str(seen["product_id"]) in line.text("products", "views", "--days", "1")
    assert ANNA not in line.text("products", "views", "--each")
    assert "Nobody looked at it yet." in line.text("products", "views", "--product", "987654")


def test_a_run_says_what_it_came_to(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has gone quiet in a shop of one day; switched off, it says how to switch it on."""
    off = line.text("reengagement", "run", "--dry-run")
    assert "WCH_REENGAGEMENT_ENABLED=true" in off

    monkeypatch.setenv("WCH_REENGAGEMENT_ENABLED", "true")
    told = line.json("reengagement", "run", "--dry-run", "--kind", "we_miss_you")

    assert (told["enabled"], told["looked_at"], told["planned"]) == (True, 0, {})
    assert "There is nobody to write to" in line.text("reengagement", "run")
    assert "Nobody was approached" in line.text("reengagement", "report")
