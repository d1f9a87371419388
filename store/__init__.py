"""The tables, their repositories, and the files: what `storage` and `jobs` stand on."""
