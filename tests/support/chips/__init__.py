"""Microcontrollers behind a debug port, for tests of flashing by a probe: what pyOCD sees of them.

`core` runs the code of flash algorithms in unicorn; `memories` has flash that fails as flash fails,
behind the registers of its controller; `port` is the debug port, as a probe of pyOCD; `known` are
the chips of the boards; `pack` makes the CMSIS packs that some of them need.
"""
