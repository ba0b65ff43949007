"""Whole conversations from files: what customers of five languages write, and what must come back."""

import re
from decimal import Decimal
from pathlib import Path

import pytest

from tests.application.dialogue.chat import SHEENA, Chat, chatting
from wch.application.dialogue.script import Kind, Line, Script, ScriptError, read_script, write_script
from wch.application.texts import LANGUAGES, catalogue
from wch.domain.money import money_from_json

FILES = sorted((Path(__file__).parent / "conversations").glob("*.chat"))
SCRIPTS = {file.stem: read_script(file.read_text(encoding="utf-8")) for file in FILES}
SPAN = re.compile(r"(\d+) (seconds|minutes|hours|days)")


def test_there_are_sixty_in_five_languages() -> None:
    """Each language sells, three sales are long ones with changes of mind."""
    sales = {name.rpartition("-")[2] for name in SCRIPTS if name.startswith("sale-")}
    long_ones = [script for name, script in SCRIPTS.items() if name.startswith("long-")]

    assert len(SCRIPTS) >= 60
    assert sales == set(LANGUAGES)
    assert len(long_ones) >= 3
    assert all(len(script.lines) >= 40 for script in long_ones)


@pytest.mark.parametrize("name", SCRIPTS)
async def test_a_conversation_goes_as_it_is_written(name: str) -> None:
    """Line by line; the file is the test."""
    script = SCRIPTS[name]

    async with chatting(phone=script.given.get("phone", SHEENA), name=script.given.get("name")) as chat:
        for line in script.lines:
            await _follow(chat, line, f"{name}.chat:{line.number}")


async def _follow(chat: Chat, line: Line, where: str) -> None:
    if line.kind is Kind.SAYS:
        await (chat.write(line.text) if line.tap is None else _tap(chat, line.tap))
    elif line.kind is Kind.SHOWS:
        assert _stands(chat, line.text), f"{where}: {line.text!r} is not in {chat.shown!r}"
    elif line.kind is Kind.HIDES:
        assert not _stands(chat, line.text), f"{where}: {line.text!r} is in {chat.shown!r}"
    elif line.kind is Kind.WAITS:
        found = SPAN.fullmatch(line.text)
        assert found is not None, f"{where}: {line.text!r} is no span"
        chat.wait(**{found[2]: float(found[1])})
    elif line.kind is Kind.HAPPENS:
        assert line.text == "placed", f"{where}: nothing happens by {line.text!r}"
        await chat.place()
    else:
        _knows(chat, line, where)


async def _tap(chat: Chat, beginning: str) -> None:
    """What is on the latest page, else an old button that still lies on the phone."""
    if beginning.endswith("!"):
        await chat.tap(beginning.removesuffix("!"))
    else:
        await chat.press(beginning)


def _stands(chat: Chat, text: str) -> bool:
    everything = "\n".join([chat.shown, *chat.titles])
    if not text.startswith("@"):
        return text in everything
    language = str(chat.conversation.context.get("language", "en"))
    forms = catalogue(language).entries[text.removeprefix("@")].forms
    return any(_fits(form, everything) for form in forms)


def _fits(form: str, shown: str) -> bool:
    """Whether a text stands there, whatever its placeholders hold."""
    parts = [re.escape(part) for part in re.split(r"\{[a-z_]+\}", form)]
    return re.search("(?s)" + ".*?".join(parts), shown) is not None


def _knows(chat: Chat, line: Line, where: str) -> None:
    word, _, wanted = line.text.partition(" ")
    total = None if chat.cart is None else chat.cart.total
    due = None if chat.saga is None else money_from_json(chat.saga.context["money"]["due"]).amount
    known = {
        "state": chat.state,
        "status": chat.status,
        "language": str(chat.conversation.context.get("language")),
        "cart": ", ".join(f"{quantity} {name}" for name, quantity in chat.lines) or "empty",
        "total": "none" if total is None else str(total.quantize(Decimal("0.01"))),
        "due": "none" if due is None else str(due),
        "silence": str(chat.account.get("silence", "none")),
        "intent": str(chat.account.get("intent")),
        "marketing": "in" if chat.profile.opt_in_marketing else "out" if chat.profile.is_out else "never",
    }
    assert known[word] == wanted, f"{where}: {word} is {known[word]}"


def test_a_script_is_written_as_it_is_read() -> None:
    """What `wch replay --to-test` writes is what the tests read."""
    text = "# A title\nphone: 1\n\n> hi\\nthere\n< @menu.title\n> [menu]\n! Vase\n= state idle\n~ 2 hours\n+ placed\n"
    script = read_script(text)

    assert (script.title, script.given) == ("A title", {"phone": "1"})
    assert [line.tap for line in script.lines if line.kind is Kind.SAYS] == [None, "menu"]
    assert script.lines[0].text == "hi\nthere"
    assert write_script(script) == text


@pytest.mark.parametrize("text", ["", "# only a title", "< nobody asked", "> hi\nwhat?", "> hi\nphone: 1", ">hi"])
def test_what_is_no_script_is_refused(text: str) -> None:
    """With the line, where there is one."""
    with pytest.raises(ScriptError):
        read_script(text)


def test_a_script_needs_a_speaker() -> None:
    """An empty value is a value."""
    assert Script(title="", lines=()).given == {}
