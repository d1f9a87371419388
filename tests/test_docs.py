"""The docs are complete: every setting and every route is described."""

import re

import pytest

from settings import PROJECT_ROOT, Settings

SETTINGS_PAGE = (PROJECT_ROOT / "docs" / "settings.md").read_text("utf-8")


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_documented_with_its_own_words(name: str) -> None:
    field = Settings.model_fields[name]
    assert f"`{name.upper()}`" in SETTINGS_PAGE
    assert field.description and field.description in SETTINGS_PAGE


def test_no_setting_is_documented_that_does_not_exist() -> None:
    documented = {name.lower() for name in re.findall(r"^\| `([A-Z0-9_]+)`", SETTINGS_PAGE, re.MULTILINE)}
    assert documented == set(Settings.model_fields)


def test_every_file_that_the_docs_link_to_exists() -> None:
    for page in [
        PROJECT_ROOT / "README.md",
        PROJECT_ROOT / "CONTRIBUTING.md",
        *PROJECT_ROOT.glob("docs/*.md"),
    ]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
