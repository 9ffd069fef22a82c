import gzip
import io
import zipfile

import pytest

from campaign.errors import BadInput
from campaign.packing import CHUNK_BYTES, unpacked


def zipped(content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", content)
    return packed.getvalue()


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zipped])
def test_what_was_packed_comes_out(pack):
    content = bytes(range(256)) * 100
    assert b"".join(unpacked(io.BytesIO(pack(content)), "a")) == content


@pytest.mark.parametrize("pack", [gzip.compress, zipped])
def test_few_bytes_that_stand_for_many_come_in_chunks_and_end_at_the_limit(pack):
    packed = pack(bytes(10 * CHUNK_BYTES))
    assert len(packed) < CHUNK_BYTES // 50
    assert max(map(len, unpacked(io.BytesIO(packed), "a"))) <= CHUNK_BYTES
    with pytest.raises(BadInput, match="longer than 5,000,000 bytes"):
        list(unpacked(io.BytesIO(packed), "a", 5_000_000))


@pytest.mark.parametrize(
    "damage", [lambda packed: packed[:-20], lambda packed: packed[:40] + b"\xff" * 9 + packed[49:]]
)
@pytest.mark.parametrize("pack", [gzip.compress, zipped])
def test_a_damaged_file_is_refused_by_name(pack, damage):
    packed = damage(pack(b"".join(b"%d,%d\n" % (number, number * 7919) for number in range(2_000))))
    with pytest.raises(BadInput, match=r"^a\.gz: "):
        list(unpacked(io.BytesIO(packed), "a.gz"))


def test_a_zip_of_many_files_is_refused_before_they_are_listed():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number in range(25_000):
            archive.writestr(f"{number:x}", b"")
    with pytest.raises(BadInput, match=r"^a\.zip: it cannot be unzipped \(it holds too many files\)"):
        list(unpacked(io.BytesIO(packed.getvalue()), "a.zip"))
