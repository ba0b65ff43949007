"""The latest full runs of the catalogue, as the page of the sync queue shows them."""

from collections.abc import Sequence

from wch.domain.document import JsonObject
from wch.domain.moment import of_iso
from wch.entrypoints.http.pages.parts import Table, moment, state, text

SHOWN = 5


def runs_table(runs: Sequence[JsonObject]) -> Table:
    """The newest first, with what became of the products."""
    return Table(
        title="Full runs of the catalogue",
        columns=("Began", "State", "Products", "In step", "Failed", "Items sent", "Items deleted", "Ended"),
        rows=[
            (
                moment(of_iso(run["started"])),
                state(run["state"]),
                *(text(run[name]) for name in ("total", "done", "failed", "sent", "deleted")),
                moment(of_iso(run["ended"]) if run.get("ended") else None),
            )
            for run in runs[:SHOWN]
        ],
        empty="None yet; begin one with: wch sync run",
    )
