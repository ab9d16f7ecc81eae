"""What the processor can do is read from what the kernel says of it."""

from pathlib import Path

import pytest

from nlp_service.inference.processor import has_matrix_units, multiplies_bytes


@pytest.mark.parametrize(
    ("flags", "matrices", "bytes_"),
    [
        ("flags\t\t: fpu avx512_vnni amx_bf16 amx_tile\n", True, True),
        ("flags\t\t: fpu avx2 avx_vnni\n", False, True),
        ("flags\t\t: fpu avx512_vnni avx512_bf16\n", False, True),
        ("flags\t\t: fpu avx2\n", False, False),
        (None, False, False),
    ],
    ids=["AMX", "VNNI of 256 bits", "VNNI of 512 bits", "neither", "another system"],
)
def test_the_processor_is_asked(
    flags: str | None, matrices: bool, bytes_: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "cpuinfo"
    if flags is not None:
        file.write_text(flags, "ascii")
    monkeypatch.setattr("nlp_service.inference.processor.CPU_FLAGS", file)
    assert (has_matrix_units(), multiplies_bytes()) == (matrices, bytes_)
