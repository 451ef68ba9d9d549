"""Pages of the shop and its data, served by the process of the API.

A page asks the API as its reader, in this process, and has no power that the API lacks. docs/design/pages.md
"""
