"""How fast it is, one question a module: `python -m benchmarks.NAME`, or `python -m benchmarks.all`."""
