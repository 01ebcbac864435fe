"""Fashion-MNIST (Zalando, MIT licence): pictures of ten kinds of clothing, from Debian."""

from __future__ import annotations

import numpy as np

from tinyflash.zoo.sources.debian import Deb
from tinyflash.zoo.sources.fetch import Member, fetch
from tinyflash.zoo.sources.idx import Bytes, read_idx
from tinyflash.zoo.sources.pictures import Labels

CLASSES = 10

_SHA256 = {
    "train-images-idx3": "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7",
    "train-labels-idx1": "0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056",
    "t10k-images-idx3": "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa",
    "t10k-labels-idx1": "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05",
}
_DEB = Deb(
    "dataset-fashion-mnist",
    tuple(
        Member(f"{name}-ubyte.gz", (f"./usr/share/datasets/fashion-mnist/{name}-ubyte.gz",), sha256)
        for name, sha256 in _SHA256.items()
    ),
)


def fashion(part: str) -> tuple[Bytes, Labels]:
    """Returns all of "train" (60,000) or "t10k" (10,000): grey [n][28][28], labels int64 [n]."""
    pictures = read_idx(fetch(_DEB, f"{part}-images-idx3-ubyte.gz"))
    labels = read_idx(fetch(_DEB, f"{part}-labels-idx1-ubyte.gz"))
    return pictures, labels.astype(np.int64)
