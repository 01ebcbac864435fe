"""Speaks words by eSpeak NG, one a second, into FOLDER/VOICE/WORD.wav; copies the network there.

Usage: speak.py FOLDER WORD,... VOICE,... TIMES
"""

import shutil
import sys
import wave
from pathlib import Path

import numpy as np

from tinyflash.zoo.sources.networks import mlperf_tiny
from tinyflash.zoo.sources.speech import RATE, sounds, utterances

folder, words, times = Path(sys.argv[1]), sys.argv[2].split(","), int(sys.argv[4])
end = np.zeros(RATE // 2, np.int16)  # so that the last word is whole, too
for voice in sys.argv[3].split(","):
    (folder / voice).mkdir(parents=True, exist_ok=True)
    said = list(utterances(words, [voice], 0))
    for word in words:
        spoken = sounds([one for one in said if one.word == word][:times])  # in as many accents
        with wave.open(str(folder / voice / f"{word}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE)
            file.writeframes(np.concatenate([*spoken, end]).tobytes())
shutil.copy(mlperf_tiny("keyword_spotting"), folder / "network.tflite")
