"""The library on the host: it runs a program bit for bit as a device would."""

from tinyflash.runtime.host.session import HostSession

__all__ = ["HostSession"]
