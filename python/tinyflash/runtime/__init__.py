"""A compiled model at work: the contract of a session, and what it has learned."""
