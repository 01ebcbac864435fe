"""Pictures: a folder for each class, whatever Pillow reads. One picture is one recording."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np

from tinyflash.data.dataset import Frames
from tinyflash.data.intake.recorded import LARGEST, Recorded
from tinyflash.errors import DataError
from tinyflash.files import read_bytes

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")


def read_picture(path: Path, size: tuple[int, int] | None = None) -> Recorded:
    """Reads a picture of at most 8 bits: uint8 [1, rows, columns, channels], of 1 channel if it is
    grey, else of 3. size: (columns, rows) to resample to. Its label is the name of its folder."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(BytesIO(read_bytes(path, LARGEST))) as picture:
            if picture.mode[0] in "IF":  # Pillow would clip them at 255
                raise DataError(f"{path} has more than 8 bits for each channel; convert it to 8")
            grey = picture.mode in ("1", "L", "LA")
            ready = picture.convert("L" if grey else "RGB")
            if size is not None and ready.size != size:
                ready = ready.resize(size, Image.Resampling.BILINEAR)
            values = np.asarray(ready, np.uint8)
    except UnidentifiedImageError:
        raise DataError(f"{path} is not a picture") from None
    except Image.DecompressionBombError:
        raise DataError(f"{path} is too large for a picture; make it smaller") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error})") from None
    except (ValueError, SyntaxError) as error:
        raise DataError(f"{path} is not a whole picture: {error}") from None
    shape = (*values.shape, 1) if values.ndim == 2 else values.shape
    names = ("grey",) if shape[-1] == 1 else ("red", "green", "blue")
    numbers = np.zeros(1, np.int64)
    frames = Frames(shape, None, names)
    return Recorded(path, frames, values.reshape(1, *shape), numbers, [path.parent.name])
