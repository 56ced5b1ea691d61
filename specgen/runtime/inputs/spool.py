"""Input that comes once, such as a pipe's, kept where it can be read as often as it takes."""

from __future__ import annotations

import shutil
import stat
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from specgen.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

STANDARD_INPUT = "-"


@contextmanager
def regular(name: str) -> Iterator[Path]:
    """Yield a file that can be read again and again, for as long as the block.

    Its beginning is looked at before it is read, and after a lost connection it is read anew. So what is
    no file in the narrow sense is copied to one first, which only its owner can read.

    Args:
        name: A path, or ``-`` for standard input.

    Raises:
        UsageError: It cannot be read.
    """
    path = Path("/dev/stdin" if name == STANDARD_INPUT else name)
    try:
        mode = path.stat().st_mode
    except OSError:
        yield path  # whoever reads it says what is wrong
        return
    if not (stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) or stat.S_ISSOCK(mode)):
        yield path
        return
    with tempfile.NamedTemporaryFile(prefix="specgen-", suffix=path.suffix) as copy:
        try:
            with path.open("rb") as source:
                shutil.copyfileobj(source, copy)
        except OSError as error:
            raise UsageError(f"{name}: {error.strerror}") from error
        copy.flush()
        yield Path(copy.name)
