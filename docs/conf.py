"""How Sphinx builds the guide. `scripts/docs` runs it."""

project = "lthost"
author = "The lthost developers"
extensions = ["myst_parser"]
exclude_patterns = ["examples"]

# Links to a heading of another page are checked like those to a page.
myst_heading_anchors = 3

html_theme = "furo"
html_title = "lthost"
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False

# Copied commands come without their prompt.
pygments_style = "friendly"
pygments_dark_style = "native"
