"""The library on the host: `Session` runs a program here, bit for bit as a device would."""

from tinyflash.host.session import HostSession as Session

__all__ = ["Session"]
