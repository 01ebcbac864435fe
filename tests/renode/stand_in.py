#!/usr/bin/env python3
"""Stands in for Renode: opens the port that the command names, and runs the image in QEMU."""

import os
import re
import sys
from pathlib import Path

command = sys.argv[-1]
elf, port, script = re.fullmatch(r"\$elf=@(\S+); \$port=(\d+); include @(\S+)", command).groups()
if "dies" in Path(script).read_text():
    sys.exit("there was an error executing the script")
line = f"tcp:127.0.0.1:{port},server=on,wait=off,nodelay=on"
options = ["-display", "none", "-monitor", "none", "-semihosting", "-serial", line]
os.execvp("qemu-system-arm", ["qemu-system-arm", "-M", "netduinoplus2", *options, "-kernel", elf])
