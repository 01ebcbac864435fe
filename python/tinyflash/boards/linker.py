"""The linker script of a board, made from its regions."""

from __future__ import annotations

from tinyflash.boards.memory import FLASH, Placement, Region

# Start-up code (boards/linker.h) knows these symbols, and `stack.ld` of a build adds the stack that
# the program may use.
_TEMPLATE = """\
/* Made from board.toml by tinyflash/boards/linker.py. */
MEMORY
{{
{memory}
}}
ENTRY({entry})

SECTIONS
{{
{vectors}    .text : {{
        KEEP(*(.boot))
        KEEP(*(.vectors))
        KEEP(*(.image_definition))
        *(.text .text.*)
        *(.rodata .rodata.*)
        . = ALIGN(4);
{ranges}    }} > {code}

    .stack (NOLOAD) : ALIGN(32) {{
        linker_stack_start = .;
        . += {reserve};
        linker_stack_end = .;
    }} > {stack}

    .data : ALIGN(8) {{
        linker_data_start = .;
        *(.ram_code)
        *(.data .data.*)
        . = ALIGN(4);
        linker_data_end = .;
    }} > {variables} AT > {code}
    linker_data_image = LOADADDR(.data);

{elsewhere}    .bss (NOLOAD) : ALIGN(8) {{
        linker_bss_start = .;
        *(.bss .bss.*)
        *(COMMON)
        . = ALIGN(8);
        linker_bss_end = .;
    }} > {variables}

    /DISCARD/ : {{
        *(.ARM.exidx* .ARM.extab* .eh_frame)
    }}
}}

/* The build computes the stack that the program may use (stack.ld); the guard takes 32 bytes. */
PROVIDE(board_stack_use = 0);
linker_stack_needed = board_stack_use ? board_stack_use + 32 : 0;
ASSERT(linker_stack_needed <= {reserve}, "stack_bytes is less than the program may use")
ASSERT({reserve} % 32 == 0, "stack_bytes must be a multiple of 32, the size of its guard")
ASSERT(linker_stack_start == ORIGIN({stack}), "the stack must begin its region: overflow then \
meets no data")
"""


def linker_script(
    regions: tuple[Region, ...], place: Placement, stack_bytes: int, entry: str
) -> str:
    """Returns the script. entry: the function that the program starts with."""
    vectors = ""
    if place.vectors != place.code:
        vectors = f"    .vectors : {{\n        KEEP(*(.vectors))\n    }} > {place.vectors}\n\n"
    return _TEMPLATE.format(
        memory="\n".join(map(_memory, regions)),
        entry=entry,
        vectors=vectors,
        code=place.code,
        ranges=_ranges(place),
        reserve=stack_bytes,
        stack=place.stack,
        variables=place.variables,
        elsewhere="".join(_section(part, getattr(place, part)) for part in place.elsewhere),
    )


def _memory(region: Region) -> str:
    access = "rx" if region.kind == FLASH else "rw"
    return (
        f"    {region.name} ({access}) : ORIGIN = 0x{region.origin:08x}, LENGTH = 0x{region.size:x}"
    )


def _ranges(place: Placement) -> str:
    """Returns a table of what start-up clears besides .bss: BOARD_RANGES rows."""
    if not place.elsewhere:
        return ""
    rows = (f"LONG(ADDR(.{part})) LONG(SIZEOF(.{part}))" for part in place.elsewhere)
    return "".join(f"        {line}\n" for line in ("linker_ranges = .;", *rows))


def _section(part: str, region: str) -> str:
    """Returns the section of a part of the model that is not beside the variables."""
    return (
        f"    .{part} (NOLOAD) : ALIGN(8) {{\n        *(.bss.{part})\n        . = ALIGN(8);\n"
        f"    }} > {region}\n\n"
    )
