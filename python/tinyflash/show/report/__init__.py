"""The report on a compilation: a dict for programs, text and a page for people."""

from tinyflash.show.report.page import as_html
from tinyflash.show.report.summary import Report, as_text, make_report
from tinyflash.show.report.writing import (
    add_image,
    add_training,
    compilation,
    write_compilation,
)

__all__ = [
    "Report",
    "add_image",
    "add_training",
    "as_html",
    "as_text",
    "compilation",
    "make_report",
    "write_compilation",
]
