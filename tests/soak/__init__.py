"""Long runs of the serial line under faults."""
