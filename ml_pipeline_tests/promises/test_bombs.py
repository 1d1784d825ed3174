"""Files whose content would not fit are refused by what their metadata say: in seconds, and in next to no memory."""

import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ml_pipeline_tests.corpus.bombs import BOMBS
from ml_pipeline_tests.corpus.parquet_footers import long_text
from ml_pipeline_tests.processes import run_python

CORPUS = Path(__file__).parents[1] / "corpus"
MOST_SECONDS, MOST_BYTES = 10.0, 200e6

# The peak of each refusal alone: the kernel forgets the one before when it is told to. What would swell meets a limit.
OPEN = """
import json, resource, sys, time
from datetime import UTC, datetime
from pathlib import Path
from ml_pipeline.contracts.source import SourceContract, load_sources
from ml_pipeline.io.connectors.connector import DeliveryError
from ml_pipeline.io.connectors.folder import FolderConnector
from ml_pipeline.nights import KnownWindow

def peak(field):
    told = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return int(told.split()[1]) * 1024

resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
returns = load_sources(Path(sys.argv[1]))["returns"]
window = KnownWindow(None, datetime(2100, 1, 1, tzinfo=UTC))
for name, folder, limits in json.loads(sys.argv[2]):
    source = SourceContract.model_validate(returns.model_dump() | {"files": "returns/*", "limits": limits})
    Path("/proc/self/clear_refs").write_text("5")
    before, began = peak("VmRSS"), time.perf_counter()
    try:
        FolderConnector(Path(folder)).read(source, window)
        told = "it was read"
    except DeliveryError as error:
        told = str(error)
    print(json.dumps([name, told, time.perf_counter() - began, peak("VmHWM") - before]), flush=True)
"""


@pytest.fixture(scope="module")
def drops(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A drop folder for each bomb, by its name."""
    root = tmp_path_factory.mktemp("bombs")
    found = {}
    for number, (name, bomb) in enumerate(BOMBS.items()):
        path = root / str(number) / "returns" / f"day{bomb.suffix}"
        path.parent.mkdir(parents=True)
        bomb.write(path)
        found[name] = path
    return found


def test_bombs_are_refused_by_what_their_metadata_say(drops: dict[str, Path]) -> None:
    asked = [(name, str(path.parents[1]), dict(BOMBS[name].limits)) for name, path in drops.items()]
    lines = run_python(OPEN, str(CORPUS / "sources.yml"), json.dumps(asked)).splitlines()
    broken = {}
    for name, told, seconds, grown in map(json.loads, lines):
        print(
            f"{name}: {drops[name].stat().st_size:,} bytes, refused in {seconds:.2f} s, memory grew by {grown / 1e6:.0f} MB"
        )
        if BOMBS[name].says not in told or seconds >= MOST_SECONDS or grown >= MOST_BYTES or "\n" in told:
            broken[name] = (told, seconds, grown)
    print(f"bombs: {len(lines)} trials / {len(broken)} violations")
    assert broken == {}
    assert len(lines) == len(BOMBS)


def test_the_bombs_are_what_they_say(drops: dict[str, Path]) -> None:
    """Readable, as large as they claim, and small on disk: a file that is merely broken would prove nothing."""
    path = drops["ten gigabytes, any rows allowed"]
    assert path.stat().st_size < 10e6
    with pq.ParquetFile(path) as file:
        last = file.read_row_group(file.num_row_groups - 1)
        assert last.num_rows == file.metadata.num_rows / file.num_row_groups
        assert last.nbytes * file.num_row_groups > 10e9
    with pq.ParquetFile(drops["two thousand levels"]) as file:
        assert file.metadata.schema.column(0).path.count(".") == 2_000
    with pq.ParquetFile(drops["a text of a gigabyte"]) as file:
        assert file.metadata.row_group(0).column(0).total_uncompressed_size > 1e9
    assert pq.read_table(io.BytesIO(long_text(b"product_code", 3_000_000)))["product_code"].to_pylist() == [
        "x" * 3_000_000
    ]
    columns = drops["a million columns"].read_bytes()
    assert columns.count(b"\x15\x02\x25\x02\x18") == 1_000_000
