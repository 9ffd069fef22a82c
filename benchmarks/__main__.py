"""Every benchmark of docs/performance.md, one after the other, and the page itself: `make bench`, 15 to 40 minutes.

One alone: `make bench-scoring`, -reading, -search, -monitoring, -training, -startup, -overhead. The web service has its
own, `make bench-serving`, and so has the challenger in the shadow, `make bench-shadow`.
"""

import subprocess
import sys
import time
from tempfile import TemporaryDirectory

from rich.console import Console

from benchmarks import measure, report

NAMES = ("startup", "scoring", "reading", "search", "monitoring", "training", "overhead")


def main() -> None:
    began = time.perf_counter()
    with TemporaryDirectory(prefix="campaign-bench-") as folder:
        for name in NAMES:
            print(f"\n{name}, after {time.perf_counter() - began:.0f} s", file=sys.stderr)
            command = [sys.executable, "-m", f"benchmarks.{name}", "--folder", folder, *sys.argv[1:]]
            subprocess.run(command, cwd=measure.ROOT, check=True)
    report.write_pages()
    print()
    Console(width=140).print(report.targets_table(report.load_results()))
    print(f"{time.perf_counter() - began:.0f} s in all. docs/performance.md has been written anew.")


if __name__ == "__main__":
    main()
