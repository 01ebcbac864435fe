"""What a compilation says about itself: for programs as a dict, for people as text and page."""

from tinyflash.show.report.page import as_html
from tinyflash.show.report.summary import Report, as_text, make_report
from tinyflash.show.report.writing import write_compilation

__all__ = ["Report", "as_html", "as_text", "make_report", "write_compilation"]
