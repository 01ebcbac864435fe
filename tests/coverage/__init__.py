"""Coverage of lib/ and firmware/ by the tests that run on the host; `python -m tests.coverage`."""
