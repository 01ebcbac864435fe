"""The firmware's side of the link, built to be fuzzed."""
