#!/bin/sh
# An emulated board hears words, and learns them: collect, compare, split, learn live, save, start again.
#
# Run it in the checkout. It takes two minutes: sound comes in real time. The board makes spectrograms of
# it. MLPerf Tiny's keyword spotter, which does not know these words, learns them from three voices, and is
# judged by two others. eSpeak NG speaks. For recordings of your own, give WORDS, three of them, and SOUND, a
# folder of VOICE/WORD.wav: mono, 16,000 samples per second, a word each second, half a second of silence.
set -eu
set -- # the recordings
run=${TINYFLASH:-./run}
python=${PYTHON:-.venv/bin/python}
out=${OUT:-build/keywords}
words=${WORDS:-lamp,coffee,music}
scheme=examples/keywords/scheme.toml
model=$out/sound/network.tflite

mkdir -p "$out"
$python examples/keywords/speak.py "$out/sound" "$words" "${VOICES:-m1,f2,Annie,m3,adam}" "${TIMES:-4}"
sound=${SOUND:-$out/sound}
$run compile "$model" --scheme $scheme --board qemu_stm32f405 --replay 5 -o "$out" > "$out/compile.log"
$run build "$out" --replay 5 --collect 8192 --features spectrogram:rate=16000 > "$out/build.log"

for voice in "$sound"/*/; do
    for word in $(echo "$words" | tr , ' '); do
        $run collect "$out" --replay "$voice$word.wav" --labels "$words" --label "$word" \
            --subject "$(basename "$voice")" -o "$out/set" > "$out/collect.log"
        set -- "$@" "$voice$word.wav"
    done
done
$run data show "$out/set"

# The board's frames are those that this computer makes of the same samples, to the bit.
$run data import "$@" --label word -o "$out/samples" > "$out/import.log"
$run data features "$out/samples" --features spectrogram -o "$out/here" > "$out/features.log"
for set in set here; do
    $run data export "$out/$set" --window 1 --hop 1 -o "$out/$set.npz" > "$out/export.log"
done
$python -c '
import sys, numpy as np
board, here = (np.load(path)["x"] for path in sys.argv[1:])
assert np.array_equal(board, here)
print(f"{len(board):,} frames of the board: equal to those of this computer, bit for bit")
' "$out/set.npz" "$out/here.npz"

sed -i 's|^scale = .*|scale = 0.25|' "$out/set/dataset.toml" # the unit of this network
$run data split "$out/set" --by subject --test 0.34

start() { # a board with its flash
    $run flash "$out" > "$out/port" &
    board=$!
    until grep -q socket "$out/port"; do sleep 0.2; done
    port=$(sed 's/.*\(socket:[^ ]*\).*/\1/' "$out/port")
}
trap 'kill $board 2> /dev/null || true' EXIT
start
$run train "$model" --scheme $scheme --live --auto --data "$out/set" --test "$out/set" --hop 50 \
    --replay 5 --repeats 4 --rate 0.003 --port "$port" -o "$out"
$run save --port "$port"

# The power goes off. The board starts again, and has what it learned.
kill $board
wait $board || true
start
$run evaluate "$model" --scheme $scheme --data "$out/set" --hop 50 --port "$port" | grep accuracy
