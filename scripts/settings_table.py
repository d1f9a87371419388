"""Writes docs/settings.md from the settings' own descriptions: `python -m scripts.settings_table`."""

from pathlib import Path

from settings import PROJECT_ROOT, Settings

HEAD = """# Settings

Read from the environment and from a file named `.env` beside `run.sh`; names are not case sensitive.
This page is written by `scripts/settings_table.py` from the code's own descriptions.

| Setting | Default | What it does |
| --- | --- | --- |
"""


def main() -> None:
    rows = []
    for name, field in Settings.model_fields.items():
        default = str(field.default).replace(str(Path.home()), "~")
        rows.append(
            f"| `{name.upper()}` | {f'`{default}`' if default else 'empty'} | {field.description} |\n"
        )
    (PROJECT_ROOT / "docs" / "settings.md").write_text(HEAD + "".join(rows), "utf-8")


if __name__ == "__main__":
    main()
