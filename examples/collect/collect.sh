#!/bin/sh
# A wearer moves, an emulated board records it, and learns from it: collect, split, check, train, save.
#
# Run it in the checkout. It takes three minutes: what the sensor gives was recorded, and comes in real
# time. Wearer 25 is not among those that the network knows, and wears the sensor turned by 45 degrees.
set -eu
run=${TINYFLASH:-./run}
out=${OUT:-build/wearer}
model=python/tinyflash/zoo/networks/activity.tflite
scheme=python/tinyflash/scheme/catalogue/activity.toml
classes=walking,upstairs,downstairs,sitting,standing,lying # as the network knows them

mkdir -p "$out"
$run compile $model --scheme $scheme --board qemu_stm32f405 -o "$out" > "$out/compile.log"
$run build "$out" --collect 8192 > "$out/build.log"

for session in 1 2; do
    for activity in walking sitting standing; do
        $run collect "$out" --replay "activity:25:$activity:$session:turned" ${RATE:+--rate "$RATE"} \
            --labels $classes --label $activity --subject 25 --session $session \
            --seconds "${SECONDS_EACH:-25}" -o "$out/set" > "$out/collect.log"
    done
done
$run data show "$out/set"

$run data split "$out/set" --by session --test 0.5
$run data check "$out/set" --model $model --scheme $scheme --by session --hop 16 -o "$out/check" 2>&1 |
    grep flagged

# On the board: what it learns is in its flash. Open the page that --watch names, and look on.
$run train $model --scheme $scheme --data "$out/set" --hop 16 --epochs 3 --rate 0.03 \
    --board qemu_stm32f405 --save-every 100 --watch -o "$out" &
training=$!
trap 'kill $training 2> /dev/null || true' EXIT
if command -v chromium > /dev/null; then # a picture of the page, after the first epoch
    until grep -q 'points":.*,\[213' "$out/watch.json" 2> /dev/null; do sleep 0.2; done
    $run watch "$out" > "$out/page" 2>&1 &
    page=$!
    until grep -q http "$out/page"; do sleep 0.2; done
    chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size=1280,1565 --timeout=3000 \
        --screenshot="$out/watch.png" "$(sed -n 's/.*\(http:[^ ]*\).*/\1/p' "$out/page")" 2> "$out/chromium.log"
    kill $page
fi
wait $training

# The power goes off: the emulator has ended. The board starts again, and has what it learned.
$run flash "$out" > "$out/port" &
board=$!
trap 'kill $board' EXIT
until grep -q socket "$out/port"; do sleep 0.2; done
port=$(sed 's/.*\(socket:[^ ]*\).*/\1/' "$out/port")
$run evaluate $model --scheme $scheme --data "$out/set" --hop 16 --port "$port" | grep accuracy
