"""Paths in recipes: whatever is written, it is a path of this system or an error that says what is wrong."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan_worker.errors import RequestError
from gan_worker.scenes.parser import parse_recipe
from gan_worker.scenes.recipe import SceneRecipe

RULE = '[[rules]]\nselect = { name = "*" }\nmodel = "bricks"\nlatent = { by = "seed", seed = 7 }\n'
windows, elsewhere = (
    pytest.mark.skipif((os.name == "nt") != wanted, reason="is another system's")
    for wanted in (True, False)
)


def textures(written):
    """What a recipe says in which the folder is written so."""
    return parse_recipe(f"textures = {written}\n{RULE}").textures


def refusal(written):
    with pytest.raises(RequestError) as caught:
        textures(written)
    assert caught.value.code == "invalid_recipe"
    assert "line 1" in caught.value.info.message.lower()
    return caught.value


@pytest.mark.parametrize(
    "written",
    [
        r'"C:\Users\ann\maps"',
        r'"D:\stone"',
        r'"D:\new"',
        r'"D:\textures"',
        r'"D:\rocks\bark"',
        r'"D:\maps\"',
        r'"\\server\share"',
        r'"\\server\new"',
        r'"\\server\\share"',
        r'"C:\u00"',
    ],
)
def test_a_backslash_in_double_quotes_is_said_to_be_the_mistake(written):
    error = refusal(written)
    told = str(error) + error.info.cure
    assert "double quotes" in told
    assert "C:/Users" in told


@elsewhere
@pytest.mark.parametrize("written", [r"'C:\maps'", r"'\\server\share'", "'D:/maps'", r"'a\b'"])
def test_a_path_of_windows_is_refused_where_it_would_be_a_strange_name(written):
    assert "this computer's system" in str(refusal(written))


@windows
@pytest.mark.parametrize("path", ["C:\\maps", "\\\\server\\share", "D:/maps"])
def test_a_path_of_windows_is_one_there(path):
    assert textures(f"'{path}'") == path


@pytest.mark.parametrize("path", ["packed", "//maps", "maps/new", "/srv/maps ü", "a~b"])
def test_a_plain_path_stays_what_it_is(path):
    assert textures(json.dumps(path)) == path


@pytest.mark.parametrize("written", ["~", "~/maps"])
def test_the_users_folder_is_meant_by_a_tilde(written, tmp_path, monkeypatch):
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    assert Path(textures(f'"{written}"')) == Path(written.replace("~", str(tmp_path)))


def test_a_user_that_is_none_is_refused():
    assert "after ~" in str(refusal('"~nobody-of-that-name/maps"'))


@given(st.text(st.characters(codec="utf-8")))
def test_every_text_is_a_path_or_an_error_that_names_the_line(text):
    written = json.dumps(text).replace("\x7f", "\\u007f")
    try:
        found = textures(written)
    except RequestError as error:
        assert error.code == "invalid_recipe"
        assert "line 1" in error.info.message.lower()
        return
    assert found == text or text.startswith("~")
    assert not any(ord(sign) < 32 for sign in found)


@given(st.data())
def test_a_recipe_that_was_spoiled_is_read_or_refused(data):
    text = f'textures = "maps"\nfavourites = "looks.json"\n{RULE}size = [512, 256]\nscale = 4.5\n'
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 12)))
    pieces = st.sampled_from(
        ["\\", '"', "'''", "[", "]]", "{", "\n", "=", "1e999", "nan", "-", "\0"]
    )
    new = data.draw(st.lists(pieces | st.text(max_size=3), max_size=3).map("".join))
    try:
        assert isinstance(parse_recipe(text[:start] + new + text[end:]), SceneRecipe)
    except RequestError as error:
        # Only where nothing else is wrong is its file of favorites looked for.
        assert error.code in ("invalid_recipe", "invalid_config", "file_missing")
        assert error.info.cure


def test_a_number_of_thousands_of_digits_is_refused():
    with pytest.raises(RequestError):
        parse_recipe(f"{RULE}scale = {'9' * 5000}")
