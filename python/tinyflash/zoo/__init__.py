"""Networks to start from, and training tasks for them, each with source, licence and checksum."""
