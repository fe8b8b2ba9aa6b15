"""The golden files: storage as releases have left it, a numbered folder for each format."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent


def read(folder: Path) -> dict[str, bytes]:
    """Return the bytes of each file by its path in storage."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def write(folder: Path, files: dict[str, bytes]) -> None:
    """Write files into a new folder. Raises `FileExistsError` when it is there already."""
    folder.mkdir()
    for path, data in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
