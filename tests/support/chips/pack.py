"""CMSIS packs of devices, as vendors make them, with a flash algorithm that is compiled here."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

_SOURCE = Path(__file__).with_name("algorithm.c")
_SCRIPT = """SECTIONS {
  PrgCode 0 : { *(.text*) *(.rodata*) }
  PrgData : { *(.data*) *(.bss*) }
  DevDscr : { KEEP(*(DevDscr)) }
  /DISCARD/ : { *(.ARM*) *(.comment) *(.note*) }
}
"""
_PDSC = """<?xml version="1.0" encoding="UTF-8"?>
<package schemaVersion="1.7.2">
  <vendor>{vendor}</vendor><name>{name}</name><description>devices</description>
  <url>http://127.0.0.1/</url><license>LICENSE</license>
  <releases><release version="2.1.0">One.</release></releases>
  <devices>
    <family Dfamily="{family}" Dvendor="STMicroelectronics:13">
      <processor Dcore="{core}" Dfpu="SP_FPU" Dmpu="MPU" Dendian="Little-endian" Dclock="200"/>
      <debug svd="SVD/{device}.svd"/>
      <device Dname="{device}">
        <memory id="IROM1" start="0x08000000" size="0x{flash:x}" startup="1" default="1"/>
        <memory id="IRAM1" start="0x20000000" size="0x{ram:x}" init="0" default="1"/>
        <algorithm name="Flash/{device}.FLM" start="0x08000000" size="0x{flash:x}" default="1"/>
      </device>
    </family>
  </devices>
</package>
"""


@dataclass(frozen=True)
class Device:
    """A device of a pack of Keil's. smallest: bytes of its first sectors."""

    pack: str
    name: str
    core: str
    flash: int
    ram: int
    smallest: int
    is_h7: bool = False


KB = 1024
DEVICES = {
    "stm32f446_nucleo": Device(
        "STM32F4xx_DFP", "STM32F446RETx", "Cortex-M4", 512 * KB, 128 * KB, 16 * KB
    ),
    "stm32f746_discovery": Device(
        "STM32F7xx_DFP", "STM32F746NGHx", "Cortex-M7", 1024 * KB, 320 * KB, 32 * KB
    ),
    "stm32h743_nucleo": Device(
        *("STM32H7xx_DFP", "STM32H743ZITx", "Cortex-M7", 2048 * KB, 128 * KB, 128 * KB), is_h7=True
    ),
}


def make_pack(device: Device, folder: Path) -> Path:
    """Writes a pack that is a folder."""
    (folder / "Flash").mkdir(parents=True)
    small = device.smallest
    sizes = [(small, 0)] if device.is_h7 else [(small, 0), (4 * small, 4 * small)]
    sizes += [] if device.is_h7 else [(8 * small, 8 * small)]
    defined = [
        f"-DSIZE={device.flash}u",
        f"-DSMALL={small}u",
        "-DSECTORS=" + ",".join(f"{{{size}u,{start}u}}" for size, start in sizes),
        *(["-DH7"] if device.is_h7 else []),
    ]
    script = folder / "algorithm.ld"
    script.write_text(_SCRIPT)
    target = folder / "Flash" / f"{device.name}.FLM"
    subprocess.run(
        [
            *("arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb", "-Os", "-ffreestanding"),
            *("-nostdlib", "-Wall", "-Werror", f"-Wl,-T,{script}", "-Wl,-e,Init"),
            *(*defined, _SOURCE, "-o", target),
        ],
        check=True,
    )
    script.unlink()
    text = _PDSC.format(
        vendor="Keil",
        name=device.pack,
        family=device.pack[:7],
        core=device.core,
        device=device.name,
        flash=device.flash,
        ram=device.ram,
    )
    (folder / f"Keil.{device.pack}.pdsc").write_text(text)
    return folder
