"""Random networks, trained by the C library under sanitizers: `python -m tests.sanitized -h`."""
