"""Read so many damaged files: `python -m tests.campaign.mutants FILE COUNT`.

Each mutant must be read, or refused by name; memory stays within LIMIT of what the undamaged file takes.
"""

import random
import resource
import sys
from pathlib import Path

from campaign.errors import BadInput
from campaign.reading import read_campaigns
from tests.published import SCHEMA

LIMIT = 1 << 29  # bytes: the meter's, and one Parquet page
MOST_BYTES = 1 << 26


def mutate(data: bytes, chance: random.Random) -> bytes:
    """A few bytes changed, taken out, doubled or put in, or the end cut off."""
    damaged = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        at, length = chance.randrange(len(damaged)), chance.choice((1, 1, 2, 4, 16, 200))
        kind = chance.randrange(6)
        if kind == 0:
            damaged[at : at + length] = chance.randbytes(length)
        elif kind == 1:
            del damaged[at : at + length]
        elif kind == 2:
            damaged[at:at] = damaged[at : at + length]
        elif kind == 3:
            damaged[at:at] = chance.choice((b'"', b'""', b",", b"\n", b"\r", b"\0", b"\xff\xfe", b"{", b"\x1f\x8b"))
        elif kind == 4:
            damaged[at] ^= 1 << chance.randrange(8)
        elif len(damaged) > 64 and chance.random() < 0.1:
            del damaged[at:]
        if not damaged:
            return b"\n"
    return bytes(damaged)


def read(path: Path) -> int:
    return sum(len(batch) for batch in read_campaigns(str(path), SCHEMA, label=True, most_bytes=MOST_BYTES))


def main() -> None:
    path, count = Path(sys.argv[1]), int(sys.argv[2])
    data, chance = path.read_bytes(), random.Random(7)
    read(path)
    [taken] = [line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if "VmData" in line]
    resource.setrlimit(resource.RLIMIT_DATA, (int(taken) * 1024 + LIMIT,) * 2)
    refused = 0
    for _ in range(count):
        damaged = mutate(data, chance)
        path.write_bytes(damaged)
        try:
            read(path)
        except BadInput as error:
            refused += 1
            if path.name not in error.cause:
                raise
        except BaseException:
            Path(f"{path}.found").write_bytes(damaged)
            raise
    print(refused)


if __name__ == "__main__":
    main()
