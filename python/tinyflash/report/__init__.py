"""What a compilation says about itself: for programs as a dict, for people as text and page."""

from tinyflash.report.page import as_html
from tinyflash.report.summary import (
    Report,
    as_text,
    check_fits,
    make_report,
    sram_bytes,
)

__all__ = [
    "Report",
    "as_html",
    "as_text",
    "check_fits",
    "make_report",
    "sram_bytes",
]
