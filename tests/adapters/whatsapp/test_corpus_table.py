"""The page about recorded payloads says what the code does."""

from pathlib import Path

from tests.adapters.whatsapp.corpus_table import deliveries, digest, page
from tests.conftest import ROOT


def test_the_page_is_what_the_code_does(corpus: Path) -> None:
    """Made anew by `python -m tests.adapters.whatsapp.corpus_table > docs/corpus.md`; of another corpus it says nothing."""
    written = (ROOT / "docs" / "corpus.md").read_text(encoding="utf-8")

    if digest(corpus) in written:
        assert written == page(corpus)
    else:
        assert deliveries(corpus)[1] == []
