"""Says which files of a folder are stale: compile and build leave them to their user."""

from __future__ import annotations

from pathlib import Path

from tinyflash.boards.stale import check_image, model_hashes, models_text
from tinyflash.errors import BuildError
from tinyflash.runtime.learned import learned_hash
from tinyflash.show.console import tell


def say_stale(folder: Path) -> None:
    """Prints a line for an image, and one for learned weights, of another model than the
    folder's."""
    image, learned = folder / "firmware.elf", folder / "learned.npz"
    if image.is_file():
        try:
            check_image(image, None)
        except BuildError as error:
            tell(f"note: {error}")
    there, now = learned_hash(learned), model_hashes(folder)
    if now and there not in (None, *now.values()):
        tell(
            f"note: {learned} is stale: it belongs to model {there}, and {folder} now has "
            f"{models_text(now)}; train again"
        )
