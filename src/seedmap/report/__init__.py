"""Reports: from `SeedMaps` to a page that can be read, printed and passed on.

`write_report` draws the figures and writes the page; `render_report` makes its text only.
"""

from seedmap.report.pictures import Picture, Pictures, draw_pictures
from seedmap.report.run import render_report
from seedmap.report.words import describe_cleaning, summarize
from seedmap.report.write import write_report

__all__ = [
    "Picture",
    "Pictures",
    "describe_cleaning",
    "draw_pictures",
    "render_report",
    "summarize",
    "write_report",
]
