"""Runs a program with the C library on the host, bit-equal to a device."""

from tinyflash.runtime.host.session import HostSession

__all__ = ["HostSession"]
