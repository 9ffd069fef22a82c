"""The score by room: at the terminal, and in docs/development.md with the mutants that nobody noticed."""

from collections.abc import Mapping
from pathlib import Path

from rich.table import Table

from tests.mutation.meet import mirrors_of
from tests.mutation.mutants import PER_ROOM, ROOT, Equivalent, Mutant

PAGE = ROOT / "docs" / "development.md"
Samples = Mapping[str, tuple[list[Mutant], list[Equivalent]]]
HEAD = ("room", "met", "by the mirror", "by test-quick", "not noticed", "score")


def table(samples: Samples, noticed_by: Mapping[str, str]) -> Table:
    shown = Table(*HEAD)
    for column in shown.columns[1:]:
        column.justify = "right"
    for cells in rows(samples, noticed_by):
        shown.add_row(*cells, end_section=cells[0] == [*samples][-1])
    return shown


def rows(samples: Samples, noticed_by: Mapping[str, str]) -> list[tuple[str, ...]]:
    """A row per room and one of all, of the mutants that met their tests."""
    of_rooms = [(room, [one for one in drawn if one.key in noticed_by]) for room, (drawn, _) in samples.items()]
    return [
        _row(room, met, noticed_by)
        for room, met in [*of_rooms, ("all", [mutant for _, met in of_rooms for mutant in met])]
    ]


def _row(room: str, met: list[Mutant], noticed_by: Mapping[str, str]) -> tuple[str, ...]:
    by_mirror = sum(_is_of_mirror(mutant, noticed_by[mutant.key]) for mutant in met)
    missed = sum(not noticed_by[mutant.key] for mutant in met)
    score = f"{(len(met) - missed) / len(met):.1%}" if met else "-"
    return room, str(len(met)), str(by_mirror), str(len(met) - by_mirror - missed), str(missed), score


def _is_of_mirror(mutant: Mutant, noticed_by: str) -> bool:
    return any(noticed_by.startswith(mirror) for mirror in mirrors_of(mutant.path))


def marks_of(seed: int) -> tuple[str, str]:
    """What the score of a seed stands between."""
    return f"<!-- mutants {seed} -->", f"<!-- /mutants {seed} -->"


def write_page(samples: Samples, noticed_by: Mapping[str, str], seed: int) -> None:
    """Put the score into the page in place of the one before, if the page has a place for that of the seed."""
    begin, end = marks_of(seed)
    before, found, rest = PAGE.read_text().partition(begin)
    if not found:
        return
    after = rest.partition(end)[2]
    written = "\n".join((begin, *_section(samples, noticed_by, seed), end))
    told = before + written + after
    unfinished = Path(f"{PAGE}.writing")
    unfinished.write_text(told)
    unfinished.replace(PAGE)


def _section(samples: Samples, noticed_by: Mapping[str, str], seed: int) -> list[str]:
    missed = [one for drawn, _ in samples.values() for one in drawn if not noticed_by[one.key]]
    left_out = [one for _, listed in samples.values() for one in listed]
    cells = [HEAD, ("---", *["---:"] * (len(HEAD) - 1)), *rows(samples, noticed_by)]
    return [
        f"Seed {seed}, {PER_ROOM} mutants out of each room:",
        "",
        *("| " + " | ".join(line) + " |" for line in cells),
        "",
        f"Not noticed, {len(missed)}:",
        "",
        *(f"- `{one.path}`, line {one.start[0]}: `{one.lines()[1]}`" for one in missed),
        "",
        f"Drawn as well, and not met, for they change nothing ({len(left_out)}):",
        "",
        *(f"- `{one.file}`: `{one.after}`: {one.reason}" for one in left_out),
    ]
