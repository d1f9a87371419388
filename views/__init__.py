"""The dashboard's pages: one module a page, each with a `render` function, and their shared parts.

Promises: pages call the use case (`runs`) and draw; they hold no rule of their own. Leaves the page
table to `dashboard`.
"""
