"""Where the instructions of a whole network go: by operator and kind, and modelled cycles."""
