"""`python -m families FOLDER [NAME...]`: writes the sessions whose names contain one of the words, or all."""

from __future__ import annotations

import asyncio
import logging
import sys
import tempfile
from pathlib import Path

import structlog

from . import stories
from .gateway import Loop, cheap_passwords, template


async def write(out: Path, wanted: list[str]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch) / "template"
        await template(made)
        for number, story in enumerate(stories()):
            if wanted and not any(word in story.name for word in wanted):
                continue
            text = await story.text(made, Path(scratch) / str(number))
            file = out / f"{story.name}.session"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8", newline="\n")
            print(f"{file}  {text.count('=== ')} exchanges, {len(text) // 1024} KB")


def main() -> None:
    cheap_passwords()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(write(Path(sys.argv[1]), sys.argv[2:]))


if __name__ == "__main__":
    main()
