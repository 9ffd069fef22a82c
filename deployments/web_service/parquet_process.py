"""Decodes one Parquet body after another, in a process of its own with a memory limit: what a page inflates to is
known only once it has taken its memory.

`python -m deployments.web_service.parquet_process FD`, FD being an end of a `multiprocessing.connection`. For each body
it sends which columns there are, gets the names of those that are wanted, and sends these as an Arrow stream.
"""

import json
import resource
import sys
from collections import Counter
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from campaign.arrow_types import as_usual_type
from campaign.errors import BadInput
from campaign.files import is_text

MAX_ROWS = 10_000
MAX_COLUMNS = 1_000
MAX_BYTES = 1 << 24  # of all values as they are written out
MAX_WIDTH = 1_000  # bytes of each value where all are of one length
MEMORY = 96 << 20  # bytes beyond what the process takes when it is idle
# Texts are dictionaries until they are measured: few rows at a time would cost more than they save.
ROWS_AT_ONCE = MAX_ROWS + 1
DECODED, TOO_LARGE, NOT_READ = b"D", b"L", b"R"
SOURCE = "upload.parquet"


class TooMuch(Exception):
    """More than is decoded; says of what."""


class NotWanted(Exception):
    """The other end has seen the names of the columns, and wants none of them."""


def main() -> None:
    """Answer until the other end is closed."""
    limit_memory(MEMORY)
    channel = Connection(int(sys.argv[1]))
    while True:
        try:
            body = channel.recv_bytes()
        except EOFError:
            return
        answer(channel, body)


def answer(channel: Connection, body: bytes) -> None:
    """Whatever is wrong with a body is said to the other end, and the next one is waited for."""

    def ask(names: dict[str, bool]) -> list[str]:
        channel.send_bytes(DECODED + json.dumps(names).encode())
        if not (reply := channel.recv_bytes()):
            raise NotWanted
        wanted: list[str] = json.loads(reply)
        return wanted

    try:
        decoded = decode(body, ask)
    except NotWanted:
        return
    except TooMuch as error:
        channel.send_bytes(TOO_LARGE + str(error).encode())
    except MemoryError:
        channel.send_bytes(TOO_LARGE + b"it takes more memory than a request has, once it is unpacked.")
    except Exception as error:  # Arrow's decoders raise nearly anything
        channel.send_bytes(NOT_READ + (str(error).splitlines() or [repr(error)])[0].encode())
    else:
        channel.send_bytes(DECODED + decoded)


def decode(body: bytes, ask: Callable[[dict[str, bool]], list[str]]) -> bytes:
    """The columns that `ask` wants, of those that it is told with whether they can be decoded, as an Arrow stream.

    One that turns out to hold bytes that are no text is left out. Raises `TooMuch`, and whatever Arrow does.
    """
    schema = pq.read_schema(pa.BufferReader(body))
    if len(schema) > MAX_COLUMNS:
        raise TooMuch(f"there are more than {MAX_COLUMNS:,} columns. Leave out those that are not asked for.")
    texts = [field.name for field in schema if is_text(field.type) or is_bytes(field.type)]
    times = Counter(schema.names)
    wanted = ask({field.name: times[field.name] == 1 and is_decodable(field.type) for field in schema})
    file = pq.ParquetFile(pa.BufferReader(body), read_dictionary=texts, pre_buffer=False)
    columns: dict[str, pa.ChunkedArray] = {}
    room = MAX_BYTES
    for name in wanted:  # one after another: no two are decoded at once
        try:
            columns[name], used = read_column(file, name, room)
        except BadInput:
            continue
        room -= used
    table = pa.table(columns).combine_chunks()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return sink.getvalue().to_pybytes()


def is_decodable(kind: pa.DataType) -> bool:
    """The types that campaigns are made of: numbers, texts, bytes, times; nothing within anything else."""
    types = pa.types
    if types.is_dictionary(kind):
        return is_decodable(kind.value_type)
    if isinstance(kind, pa.BaseExtensionType):
        return is_decodable(kind.storage_type)
    if types.is_fixed_size_binary(kind) and not types.is_decimal(kind):
        return bool(kind.byte_width <= MAX_WIDTH)
    return not types.is_nested(kind)


def is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def read_column(file: pq.ParquetFile, name: str, room: int) -> tuple[pa.ChunkedArray, int]:
    """A column and the bytes of its values, measured before they are written out."""
    chunks, rows, used = [], 0, 0
    for batch in file.iter_batches(ROWS_AT_ONCE, columns=[name], use_threads=False):
        batch.validate(full=True)  # else a damaged page may end as text that no one can decode
        rows += len(batch)
        if rows > MAX_ROWS:
            raise TooMuch(f"there are more than {MAX_ROWS:,} campaigns. Send them in several requests.")
        values = batch.column(0)
        used += bytes_of(values)
        if used > room:
            raise TooMuch(
                f"it is longer than {MAX_BYTES:,} bytes once it is unpacked. Leave out the columns that are not asked "
                "for, or send it in several requests."
            )
        values = as_usual_type(values, name, SOURCE)
        chunks.append(values.cast(values.type.value_type) if pa.types.is_dictionary(values.type) else values)
    kind = chunks[0].type if chunks else pa.null()
    return pa.chunked_array(chunks, kind), used


def bytes_of(values: pa.Array) -> int:
    """Of all values as they are written out: a dictionary may hold one text and mean it ten thousand times."""
    if not pa.types.is_dictionary(values.type):
        return int(values.nbytes)
    words = values.dictionary
    if not (is_text(words.type) or is_bytes(words.type)):
        return 16 * len(values)
    lengths = pc.binary_length(words.cast(pa.string()) if pa.types.is_string_view(words.type) else words)
    return 4 * len(values) + int(pc.sum(lengths.take(values.indices).cast(pa.int64())).as_py() or 0)


def limit_memory(more: int) -> None:
    """Bytes beyond what the process has. Only Linux keeps to such a limit."""
    status = Path("/proc/self/status")
    if not status.exists():
        return
    [line] = [line for line in status.read_text().splitlines() if line.startswith("VmData:")]
    limit = int(line.split()[1]) * 1024 + more
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


if __name__ == "__main__":
    main()
