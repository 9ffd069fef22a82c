"""What is known of each mutant, kept in cosmic-ray's own database: what was met stays met until its files change."""

import hashlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from attrs import evolve
from cosmic_ray.mutating import mutate_and_test
from cosmic_ray.work_db import use_db
from cosmic_ray.work_item import WorkerOutcome, WorkResult

from tests.mutation.meet import TESTS, first_failing
from tests.mutation.mutants import ROOT, Mutant

FOLDER = ROOT / ".mutation"
# Seconds after which a mutant's tests are ended. It counts as noticed: a loop without end is.
TIMEOUT = 600
PROCESSES = 2


class Session:
    """The sample of a seed and its results so far."""

    def __init__(self, sample: list[Mutant], seed: int) -> None:
        self.mutants = {mutant.key: mutant for mutant in sample}
        self.database = FOLDER / f"seed-{seed}.sqlite"
        FOLDER.mkdir(exist_ok=True)
        with use_db(self.database) as database:
            known = {key: result for key, result in database.results if self._still_holds(key, result)}
            database.clear()
            database.add_work_items(mutant.work_item() for mutant in sample)
            for key, result in known.items():
                database.set_result(key, result)
        self.noticed_by = {key: _told(result)["noticed_by"] for key, result in known.items()}

    def run(self, until: float) -> None:
        """Meet what is left, until the time is up (seconds of `time.monotonic`)."""
        copies = SimpleQueue[Path]()
        for number in range(PROCESSES):
            copies.put(_copy_of_tree(FOLDER / f"copy-{number}"))
        waiting = [mutant for key, mutant in self.mutants.items() if key not in self.noticed_by]
        if waiting and (failed := first_failing(FOLDER / "copy-0", ["-n", str(PROCESSES), *TESTS])):
            raise SystemExit(f"{failed} fails without any mutant: mend it first.")
        pool = ThreadPoolExecutor(PROCESSES)
        try:
            for met in [pool.submit(self._meet, mutant, copies, until) for mutant in waiting]:
                met.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _meet(self, mutant: Mutant, copies: SimpleQueue[Path], until: float) -> None:
        if time.monotonic() > until:
            return
        copy, began = copies.get(), time.monotonic()
        command = f"{sys.executable} {copy / 'tests' / 'mutation' / 'meet.py'} {copy} {mutant.path}"
        item = mutant.work_item()
        mutations = [evolve(each, module_path=copy / each.module_path) for each in item.mutations]
        result = mutate_and_test(mutations, command, TIMEOUT)
        copies.put(copy)
        if result.worker_outcome is not WorkerOutcome.NORMAL:
            raise RuntimeError(f"{mutant.path}, line {mutant.start[0]}: {result.output}")
        noticed_by = ((result.output or "").strip().splitlines() or [""])[-1]
        self.keep(mutant, noticed_by, result)
        print(
            f"{len(self.noticed_by):>4} of {len(self.mutants)}  {time.monotonic() - began:>4.0f} s  {mutant.path}"
            f":{mutant.start[0]}  {mutant.lines()[1]}  {noticed_by or 'NOT NOTICED'}",
            flush=True,
        )

    def keep(self, mutant: Mutant, noticed_by: str, result: WorkResult) -> None:
        """What came of a mutant: the test that noticed, or ""."""
        told = {"noticed_by": noticed_by, "of": self._digest(mutant, noticed_by)}
        with use_db(self.database) as database:
            database.set_result(mutant.key, evolve(result, output=json.dumps(told)))
        self.noticed_by[mutant.key] = noticed_by

    def _still_holds(self, key: str, result: WorkResult) -> bool:
        told = _told(result)
        return key in self.mutants and told["of"] == self._digest(self.mutants[key], told["noticed_by"])

    def _digest(self, mutant: Mutant, noticed_by: str) -> str:
        """Of the files a result stands on: the module and the test that noticed, or else all that it met."""
        test = ROOT / noticed_by.partition("::")[0]
        if noticed_by and test.is_file():
            return _digest_of((ROOT / mutant.path, test))
        return _digest_of(
            path for room in ("campaign", "tasks", *TESTS) for path in sorted((ROOT / room).rglob("*.py"))
        )


def _told(result: WorkResult) -> dict[str, str]:
    told: dict[str, str] = json.loads(result.output or "{}")
    return {"noticed_by": "", "of": ""} | told


def _digest_of(files: Iterable[Path]) -> str:
    return hashlib.sha256(b"".join(hashlib.sha256(file.read_bytes()).digest() for file in files)).hexdigest()[:16]


def _copy_of_tree(folder: Path) -> Path:
    """A tree that mutants are put into, so that nobody's own is ever changed."""
    shutil.rmtree(folder, ignore_errors=True)
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder
