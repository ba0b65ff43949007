"""A shop owner changes what is said, from the command line."""

from tests.entrypoints.cli.conftest import Line


def test_texts_are_listed_set_and_reset(line: Line) -> None:
    """Every text can be found by its words; one's own are marked."""
    assert line.json("texts", "list")["data"] == []
    every = {one["id"]: one["text"] for one in line.json("texts", "list", "--all", "--language", "es")["data"]}
    assert every["button.menu"] == "Menú"

    line.json("texts", "set", "welcome.short", "Welcome to the lamp house!")

    (own,) = line.json("texts", "list")["data"]
    assert own == {"id": "welcome.short", "language": "en", "text": "Welcome to the lamp house!"}
    assert line.json("texts", "list", "--language", "es")["data"] == []
    shown = {one["id"]: one["text"] for one in line.json("texts", "list", "--all")["data"]}
    assert shown["welcome.short"] == "Welcome to the lamp house!"
    line.json("texts", "reset", "welcome.short")
    assert line.json("texts", "list")["data"] == []


def test_wrong_words_are_refused_in_a_sentence(line: Line) -> None:
    """With what to do next."""
    assert "{store} means nothing in welcome.plain; there is {shop}." in line.refused(
        "texts", "set", "welcome.plain", "Hello from {store}"
    )
    assert "wch texts list --all" in line.refused("texts", "set", "nonsense", "hi")


def test_advertisements_lead_to_pages(line: Line) -> None:
    """Set, listed, removed; a page that is none is refused."""
    line.json("ads", "set", "120", "product_5")
    assert line.json("ads", "list")["data"] == [{"source_id": "120", "page": "product_5"}]
    assert "product_5" in line.text("ads", "list")
    line.json("ads", "remove", "120")
    assert line.json("ads", "list")["data"] == []
    assert "category_<id>" in line.refused("ads", "set", "120", "menu")
