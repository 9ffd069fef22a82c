"""How many one-line faults the tests notice: mutants of campaign/ and tasks/, and what `make test-quick` says to each.

    make mutate                     # 300 mutants, the same number out of every room; Ctrl-C, and again: goes on
    make mutate MINUTES=30          # as far as it gets in half an hour
    make mutate ARGS="--seed 35"    # others, which no test was written for

A mutant meets the test file that mirrors its module and then, where that notices nothing, `make test-quick`. The score
by room is printed; of the whole sample it is written to docs/development.md, with what nobody noticed.
"""

import argparse
import os
import time

from rich.console import Console

from tests.mutation.mutants import PER_ROOM, ROOMS, SEED, sample_of
from tests.mutation.score import table, write_page
from tests.mutation.session import PROCESSES, Session


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="make mutate", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=150.0, help="time after which no further mutant is begun")
    parser.add_argument("--seed", type=int, default=SEED, help="of another sample")
    asked = parser.parse_args()
    samples = {room: sample_of(room, seed=asked.seed) for room in ROOMS}
    session = Session([mutant for drawn, _ in samples.values() for mutant in drawn], asked.seed)
    known, all_of_them = len(session.noticed_by), len(session.mutants)
    print(
        f"{all_of_them} mutants, {PER_ROOM} out of a room, drawn with seed {asked.seed}; {known} have met their tests. "
        f"At most {asked.minutes:g} minutes, {PROCESSES} at a time."
    )
    try:
        session.run(time.monotonic() + 60 * asked.minutes)
    except KeyboardInterrupt:
        print(f"Interrupted. {len(session.noticed_by)} have met their tests: `make mutate` goes on.", flush=True)
        os._exit(130)  # threads wait for the tests that run, which end by themselves
    Console(width=110).print(table(samples, session.noticed_by))
    if len(session.noticed_by) < all_of_them:
        print(f"{all_of_them - len(session.noticed_by)} are left: `make mutate` goes on with them.")
    else:
        write_page(samples, session.noticed_by, asked.seed)


if __name__ == "__main__":
    main()
