"""However large a file is, one exchange after the other is read."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import pytest

from eas.replay.importing.formats import format_of
from eas.replay.importing.sources import opened
from eas.replay.importing.tally import Tally

SAMPLES = Path(__file__).parents[3] / "fixtures" / "sessions" / "imports"
SIZE = 8_000_000


def larger(name: str, path: Path) -> Path:
    data = (SAMPLES / name).read_bytes()
    if name.endswith(".har"):
        entries = json.loads(data)["log"]["entries"]
        one = ",".join(json.dumps(entry) for entry in entries)
        path.write_text('{"log": {"entries": [' + ",".join([one] * (SIZE // len(one))) + "]}}")
    elif name.endswith(".pcap"):
        path.write_bytes(data[:24] + data[24:] * (SIZE // len(data)))
    else:
        path.write_bytes(data * (SIZE // len(data)))
    return path


@pytest.mark.parametrize("name", [
    "zpush.log", "exchange.txt", "sogo.log", "mitmproxy.har", "mitmproxy.flow", "tcpdump.pcap",
])
def test_a_file_is_read_as_far_as_its_exchanges_are_wanted(name: str, tmp_path: Path) -> None:
    with opened(larger(name, tmp_path / name)) as source:
        exchanges = format_of(source).read(source, Tally())
        assert len(list(islice(exchanges, 20))) == 20
        assert source.stream.tell() < SIZE / 4
