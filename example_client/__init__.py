"""A caller from outside: HTTP only, so that it proves the public contract."""
