"""Letters, sagas, threads, customers, orders and the shop, decided on from the command line."""

from pathlib import Path

import pytest

from tests.entrypoints.cli.conftest import Line
from tests.sale.script import ANNA


def _first(line: Line, *words: str) -> dict[str, object]:
    (one, *_) = line.json(*words)["data"]
    return dict(one)


# --- dead letters


def test_a_letter_is_shown_as_it_was_written(line: Line) -> None:
    """Square brackets in an error are its words, not our markup."""
    assert "it [did] not go" in line.text("dead-letters", "show", "1")
    assert line.json("dead-letters", "show", "1")["attempts"] == 5


def test_a_dry_replay_tells_the_truth_and_changes_nothing(line: Line) -> None:
    """It does all of it and takes it back: this letter's message was sent after all, so it would be refused."""
    told = line.json("dead-letters", "replay", "--all", "--dry-run", code=1)

    assert (told["dry_run"], told["letters"], [one["id"] for one in told["refused"]]) == (True, [], [1])
    assert (told["rows"], told["messages"], told["failures"]) == ([], [], {})
    assert "Letter 1 stays" in line.run("dead-letters", "replay", "--all", "--dry-run").stdout
    assert _first(line, "dead-letters", "list")["status"] == "pending"


def test_letters_are_dismissed_by_what_they_died_of(line: Line) -> None:
    """A hundred letters of one outage are decided about at once, and looked at first."""
    reason = str(_first(line, "dead-letters", "list")["reason"])
    words = ("dead-letters", "dismiss", "--reason", reason, "--because", "outage")

    assert line.json(*words, "--dry-run") == {"dry_run": True, "letters": [1]}
    assert _first(line, "dead-letters", "list")["status"] == "pending"
    assert line.json(*words) == {"dry_run": False, "letters": [1]}
    assert line.json("dead-letters", "list")["data"] == []


def test_a_letter_about_a_row_holds_no_bytes_to_edit(line: Line, tmp_path: Path) -> None:
    """Only a delivery can be mended; the sentence says so before anything is changed."""
    mended = tmp_path / "mended.json"
    mended.write_text("{}")

    assert "wch: " in line.refused("dead-letters", "edit", "1", str(mended))


def test_a_replay_of_nothing_in_particular_is_wrong_usage(line: Line) -> None:
    """All letters at once must be said, never meant."""
    assert "--all" in line.refused("dead-letters", "replay", code=2)


def test_a_dismissed_letter_can_be_purged(line: Line) -> None:
    """Decided letters alone are deleted; this one was decided just now."""
    line.text("dead-letters", "dismiss", "1", "--because", "customer was called")

    assert line.json("dead-letters", "list")["data"] == []
    assert line.json("dead-letters", "purge", "--days", "30", "--yes") == {"deleted": 0}
    assert len(line.json("dead-letters", "list", "--all")["data"]) == 1


def test_an_unknown_letter_is_a_sentence(line: Line) -> None:
    """The number was mistyped, most likely."""
    assert "wch: " in line.refused("dead-letters", "show", "99")


# --- sagas


def test_a_saga_is_a_time_line(line: Line) -> None:
    """Step by step is how a person finds where it went wrong."""
    saga = str(_first(line, "sagas", "list")["saga_id"])

    assert "create_order" in line.text("sagas", "show", saga)


def test_a_finished_saga_does_not_go_on(line: Line) -> None:
    """There is nothing left to decide."""
    saga = str(_first(line, "sagas", "list")["saga_id"])

    assert line.refused("sagas", "resume", saga)


def test_a_result_that_is_no_json_is_wrong_usage(line: Line) -> None:
    """It would be taken for the step's answer."""
    assert "--result" in line.refused("sagas", "skip-step", "order-1-1", "--result", "{", code=2)


# --- threads and customers


def test_a_person_takes_over_and_hands_back(line: Line) -> None:
    """From handoff to handback the dialogue is silent, and the thread says with whom it is."""
    line.json("conversations", "handoff", "1")
    assert line.json("conversations", "assign", "1", "3")["assigned_agent_id"] == 3
    assert "outbox" in line.text("conversations", "reply", "1", "Your parcel leaves today.")
    assert "Your parcel leaves today." in line.text("conversations", "show", "1")

    line.json("conversations", "handback", "1")

    assert line.json("conversations", "resolve", "1")["status"] == "resolved"


def test_lists_for_people_mask_numbers(line: Line) -> None:
    """A screen is looked at over shoulders; scripts get the number."""
    assert f" {ANNA}" not in line.text("customers", "list")
    assert ANNA not in line.text("conversations", "list")
    assert line.json("customers", "list")["data"][0]["phone"] == ANNA


def test_a_row_is_one_line_in_a_pipe(line: Line) -> None:
    """An id broken in two can neither be searched for nor copied into the next command."""
    saga = str(_first(line, "sagas", "list")["saga_id"])

    assert saga in line.text("sagas", "list")


def test_a_customer_is_tagged_and_heard(line: Line) -> None:
    """Any spelling of the number will do."""
    assert line.json("customers", "tag", ANNA, "--add", "VIP")["tags"] == ["VIP"]
    line.json("customers", "consent", ANNA, "--marketing", "out", "--reason", "asked on the phone")

    assert _first(line, "customers", "show", f"+{ANNA}")["opt_in_marketing"] is False


def test_an_unknown_customer_is_a_sentence(line: Line) -> None:
    """With the way to find the right one."""
    assert "wch customers list" in line.refused("customers", "show", "nobody")


# --- carts, orders, notices, sync


def test_carts_are_shown_by_id(line: Line) -> None:
    """The list leads to the one."""
    assert line.json("carts", "show", str(_first(line, "carts", "list")["id"]))["status"]


def _order(line: Line) -> str:
    context = _first(line, "orders", "list")["context"]
    assert isinstance(context, dict)
    return str(context["results"]["create_order"]["order_id"])


def test_an_order_is_shown_with_what_was_told(line: Line) -> None:
    """The customer's question is nearly always about the notices."""
    told = line.json("orders", "show", _order(line))

    assert told["order"]["lines"]
    assert told["notifications"]


def test_a_notice_is_told_once_more_and_not_twice_at_once(line: Line) -> None:
    """The customer deleted it and asks; a second request finds the first."""
    told = next(
        one for one in line.json("notifications", "list")["data"] if one["status"] in ("sent", "delivered", "read")
    )

    again = line.json("notifications", "resend", str(told["id"]))

    assert (again["notification_type"], again["status"]) == (told["notification_type"], "pending")
    assert again["id"] != told["id"]
    assert "waits beside" in line.refused("notifications", "resend", str(told["id"]))


@pytest.mark.parametrize("act", [("cancel", "--yes"), ("ship",)], ids=" ".join)
def test_an_order_that_arrived_stays_so(line: Line, act: tuple[str, ...]) -> None:
    """What is at the customer's can neither be sent nor called off."""
    name, *more = act

    assert line.refused("orders", name, _order(line), *more)


@pytest.mark.parametrize(
    ("act", "code"),
    [(("refund", "--booked-in-shop"), "not_booked"), (("settle",), "nothing_to_settle")],
    ids=["refund", "settle"],
)
def test_where_nothing_was_undone_in_the_shop_nothing_is_decided(line: Line, act: tuple[str, ...], code: str) -> None:
    """Without --yes nothing is even asked."""
    name, *more = act

    assert "--yes" in line.refused("orders", name, _order(line), *more, code=2)
    assert code in line.refused("orders", name, _order(line), *more, "--yes")


def test_a_row_of_the_queue_is_made_by_hand(line: Line) -> None:
    """For when the shop's word was lost."""
    assert line.json("sync", "enqueue", "order", _order(line))["status"] == "pending"


# --- the shop


def test_the_shop_goes_out_and_in_again_unchanged(line: Line) -> None:
    """A file that is exported can be edited; unedited it changes nothing."""
    line.text("shop", "export", "products.csv")

    told = line.json("shop", "import", "products.csv")

    assert (told["created"], told["changed"]) == (0, 0)
    assert told["unchanged"] > 0


@pytest.mark.parametrize(
    "act",
    [
        ("shop", "export", "kept.txt"),
        ("customers", "export", ANNA, "--output", "kept.txt"),
        ("analytics", "export", "days", "--output", "kept.txt"),
        ("replay", "conversation", "1", "--to-test", "kept.txt"),
    ],
    ids=lambda act: " ".join(act[:2]),
)
def test_a_file_that_is_there_is_written_over_only_by_force(line: Line, act: tuple[str, ...]) -> None:
    """An empty one has nothing to lose; with something in it, it is named and left as it is."""
    file = Path("kept.txt")
    file.touch()
    line.text(*act)
    file.write_text("mine")

    told = line.refused(*act)

    assert told.startswith("wch: kept.txt is there already")
    assert "--force" in told
    assert file.read_text() == "mine"
    line.text(*act, "-f")
    assert file.read_text() != "mine"


@pytest.mark.parametrize(
    "act",
    [
        ("shop", "export", "kept.txt"),
        ("customers", "export", ANNA, "--output", "kept.txt"),
        ("analytics", "export", "days", "--output", "kept.txt"),
    ],
    ids=lambda act: " ".join(act[:2]),
)
def test_the_last_export_is_written_over_by_the_next(line: Line, act: tuple[str, ...]) -> None:
    """Every night to the same place, without anybody to ask."""
    file = Path("kept.txt")
    line.text(*act)
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:2]))

    line.text(*act)

    assert len(file.read_bytes().splitlines()) >= len(lines)  # a customer's export is told of in the next one


def test_a_file_that_came_with_a_message_is_not_written_over_another(line: Line) -> None:
    """It is said before anything is fetched."""
    Path("picture.jpg").write_text("mine")

    assert "picture.jpg is there already" in line.refused("conversations", "file", "1", "--to", "picture.jpg")


def test_a_bad_file_names_its_line_and_changes_nothing(line: Line) -> None:
    """It is taken whole or not at all."""
    line.text("shop", "export", "before.csv")
    rows = Path("before.csv").read_text().splitlines()
    names = rows[0].split(",")
    bad = ["bad" if name == "price" else f"NEW-{name}" for name in names]
    Path("bad.csv").write_text("\n".join([*rows, ",".join(bad)]) + "\n")

    result = line.run("shop", "import", "bad.csv")

    assert result.exit_code == 1
    assert f"line {len(rows) + 1}" in result.stdout
    assert "bad.csv has 1 bad line, and nothing was changed" in result.stderr
    line.text("shop", "export", "after.csv")
    assert Path("after.csv").read_bytes() == Path("before.csv").read_bytes()


def test_stock_is_set_by_sku(line: Line) -> None:
    """And an unknown one is refused."""
    line.text("shop", "export", "products.csv")
    sku = next(row.split(",")[0] for row in Path("products.csv").read_text().splitlines()[1:])

    assert line.json("shop", "stock", sku, "12") == {"sku": sku, "stock": 12}
    assert line.refused("shop", "stock", "NO-SUCH", "1")
