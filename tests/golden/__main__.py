# ruff: noqa: T201 - a command that prints
"""`python -m tests.golden`: write down how this release stores things, beside what earlier ones wrote.

To be called when a test says that the newest files lack something. What is there is never changed: releases that are
in use have written such files.
"""

from __future__ import annotations

from tests.golden.files import FOLDER, write
from tests.golden.scene import play


def main() -> None:
    number = max((int(folder.name) for folder in FOLDER.glob("[0-9]*")), default=0) + 1
    files = play()
    write(FOLDER / str(number), files)
    print(f"{len(files)} files in {FOLDER / str(number)}")


if __name__ == "__main__":
    main()
