"""Figures on the command line."""

from pathlib import Path

from tests.entrypoints.cli.conftest import Line
from tests.sale.script import ANNA


def test_a_period_is_told_to_people_and_to_scripts(line: Line) -> None:
    """The same figures; each share with what it was made of."""
    told = line.json("analytics", "summary")
    text = line.text("analytics", "summary")

    assert told["customers"]["conversion"] == {"value": 1.0, "numerator": 1, "denominator": 1}
    assert "conversion: 100.0% (1/1)" in text
    assert f"revenue: {told['money']['revenue']['amount']} EUR" in text
    assert ANNA not in text


def test_funnel_carts_and_broadcasts_have_words_of_their_own(line: Line) -> None:
    """A shop that sent no campaign is told so."""
    assert [one["customers"] for one in line.json("analytics", "funnel")["stages"]] == [1] * 6
    assert "paid" in line.text("analytics", "funnel")
    assert line.json("analytics", "carts")["opened"] == 1
    assert "recovery: -" in line.text("analytics", "carts")
    assert line.json("analytics", "broadcasts")["campaigns"] == []
    assert "No broadcast reached anybody" in line.text("analytics", "broadcasts")


def test_a_table_is_written_as_csv(line: Line) -> None:
    """One line a day, names above; no number of anybody; into a file where one is named."""
    head, *days = line.text("analytics", "export", "days").splitlines()

    assert head.startswith("day,active,new")
    assert len(days) == 30
    assert ANNA not in "".join(days)
    assert line.json("analytics", "export", "funnel")["data"][0]["stage"] == "wrote"
    assert "2 rows written" in line.text("analytics", "export", "products", "--output", "products.csv")
    assert Path("products.csv").read_bytes().count(b"\r\n") == 3


def test_a_period_that_is_none_is_refused_in_a_sentence(line: Line) -> None:
    """With what a period is."""
    told = line.refused("analytics", "summary", "--from", "2026-02-01", "--to", "2026-01-01", code=2)

    assert "366" in told
