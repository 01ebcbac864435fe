"""Writers: a program as C source."""
