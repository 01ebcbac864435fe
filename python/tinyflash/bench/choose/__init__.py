"""Schemes chosen by measurement against simple rules, at equal SRAM."""
