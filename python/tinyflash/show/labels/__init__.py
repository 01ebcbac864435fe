"""The page of `data check`."""
