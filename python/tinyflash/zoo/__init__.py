"""Networks to start from, and tasks to teach them: each with source, licence and checksum."""
