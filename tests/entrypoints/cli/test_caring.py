"""A customer's rights on the command line: export, erasure with its receipt, merging."""

import json
import stat

from tests.entrypoints.cli.conftest import Line
from tests.sale.script import ANNA


def test_an_export_is_one_document(line: Line) -> None:
    """All fourteen tables; nothing else on standard output, with or without --json."""
    document = json.loads(line.text("customers", "export", f"+{ANNA}"))

    assert document["format"] == "wch.export/1"
    assert len(document["tables"]) == 14
    assert document["tables"]["messages"]
    assert document["beyond"]["local_shop"]["orders"]


def test_an_export_to_a_file_is_for_its_owner(line: Line) -> None:
    """Nobody else on the machine may read it."""
    file = line.folder / "anna.json"
    line.text("customers", "export", ANNA, "--output", str(file))

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text())["subject"]["key"] == ANNA


def test_exporting_nobody_says_so(line: Line) -> None:
    """Empty lists, a sentence, and 1."""
    result = line.run("customers", "export", "+34699999999")

    assert result.exit_code == 1
    assert "no customer answers" in result.stderr
    document = json.loads(result.stdout)
    assert set(map(len, document["tables"].values())) == {0}


def test_erasing_needs_a_yes(line: Line) -> None:
    """It cannot be taken back."""
    result = line.run("customers", "erase", ANNA)

    assert result.exit_code == 2
    assert "--yes" in result.stderr


def test_an_erasure_prints_its_receipt(line: Line) -> None:
    """A rehearsal first, with the same counts; then nobody answers to the number, and the receipt can be had again."""
    rehearsed = line.json("customers", "erase", ANNA, "--dry-run")["tables"]
    receipt = line.json("customers", "erase", f"+{ANNA}", "--yes")

    assert receipt["tables"]["messages"]["changed"] == rehearsed["messages"]["changed"] > 0
    assert receipt["reason"] == "asked by the customer"
    assert ANNA not in json.dumps(receipt)
    assert line.json("customers", "erase", receipt["id"]) == receipt
    assert line.run("customers", "export", ANNA).exit_code == 1
    assert line.run("customers", "erase", ANNA, "--yes").exit_code == 1
    assert line.run("verify").exit_code == 0


def test_two_are_merged_and_two_again(line: Line) -> None:
    """The number of the merge is what undoes it."""
    line.other_customer("34699999999")
    merged = line.json("customers", "merge", ANNA, "34699999999", "--yes")

    assert len(line.json("customers", "list")["data"]) == 1
    both = line.json("customers", "merge", ANNA, "--undo", str(merged["merge"]), "--yes")["data"]

    assert {one["phone"] for one in both} == {ANNA, "34699999999"}
    assert line.run("customers", "merge", ANNA).exit_code == 2


def test_whom_the_shop_knows_is_listed_linked_and_taken_away(line: Line) -> None:
    """Without a number it only asks; the profile shows who it is."""
    (known,) = line.json("customers", "link", ANNA)["data"]
    line.text("customers", "unlink", ANNA)
    assert [one["wc_customer_id"] for one in line.json("customers", "show", ANNA)["data"]] == [None]

    assert line.json("customers", "link", ANNA, str(known["id"]))["wc_customer_id"] == known["id"]
    assert str(known["id"]) in line.text("customers", "show", ANNA)
    assert line.run("customers", "link", ANNA, "0").exit_code == 2
    assert line.run("customers", "link", "4915199999999", "7").exit_code == 1
