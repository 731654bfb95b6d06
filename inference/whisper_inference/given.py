"""Secrets as they are given: a setting, or the file that another setting names."""

from pathlib import Path

from pydantic import SecretStr

from whisper_inference.errors import InvalidSettings


def given_secret(value: SecretStr | None, file: Path | None) -> str | None:
    """Return a secret without the white space around it; `None` if it is not given.

    A file that is not there gives nothing: a mounted Secret need not hold every key.

    Raises:
        InvalidSettings: The file is there and cannot be read.
    """
    text = value.get_secret_value() if value is not None else read_if_there(file)
    return None if text is None else text.strip()


def read_if_there(file: Path | None) -> str | None:
    """Return a file's text; `None` if there is no such file.

    Raises:
        InvalidSettings: It cannot be read.
    """
    if file is None:
        return None
    try:
        return file.read_text()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as problem:
        raise InvalidSettings(f"The file {file} cannot be read: {problem}.") from problem
