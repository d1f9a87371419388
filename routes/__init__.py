"""The API's routes, one module a noun. They parse, call a use case in `runs`, and render; no more."""
