"""The page about recorded payloads says what the code does."""

from pathlib import Path

from tests.adapters.whatsapp.corpus_table import page
from tests.conftest import CORPUS, ROOT


def test_the_page_is_what_the_code_does(corpus: Path) -> None:
    """Made anew by `python -m tests.adapters.whatsapp.corpus_table > docs/corpus.md`."""
    assert corpus == CORPUS
    assert (ROOT / "docs" / "corpus.md").read_text(encoding="utf-8") == page(corpus)
