"""A board learns how its wearer moves, saves that in its flash, and still has it after a power cut.

Run it with Python where tinyflash is installed. It takes half a minute.
"""

from pathlib import Path

from tinyflash import compile_model
from tinyflash.boards import kernels_for, load_board
from tinyflash.boards.emulator import Emulator
from tinyflash.boards.firmware import build_firmware
from tinyflash.runtime.device import DeviceSession
from tinyflash.training.loop import Recipe, evaluate, train
from tinyflash.write.model import write_model
from tinyflash.zoo.tasks import load_task

folder = Path("build/personalise")
board = load_board("qemu_stm32f405")
task = load_task("activity")  # a network that knows how others move
wearer = task.splits(0)[0]  # samples of one person that it has never seen

compiled = compile_model(
    task.graph, task.scheme, (wearer.train.x, wearer.train.y), kernels=kernels_for(board)
)
program = compiled.program
write_model(compiled, folder)
firmware = build_firmware(folder, board, folder)

with Emulator(board, firmware, flash=folder) as emulator:  # a real board: its serial port
    with DeviceSession(emulator, program) as device:
        device.factory()  # whatever an earlier run has saved
        print(f"before:        {evaluate(device, wearer.test).score:.1f} % recognised")
        train(device, wearer.train, Recipe(epochs=3, rate=0.03))
        print(f"after:         {evaluate(device, wearer.test).score:.1f} %")
        device.save()
    emulator.kill()  # the power goes

with (
    Emulator(board, firmware, flash=folder) as emulator,
    DeviceSession(emulator, program) as device,
):
    print(f"after restart: {evaluate(device, wearer.test).score:.1f} %")
