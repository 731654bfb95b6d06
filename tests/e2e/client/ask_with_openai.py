"""Prints what OpenAI's own client is told of clips, as JSON: `ask_with_openai.py http://demo.default.svc FILE...`."""

import json
import sys
from pathlib import Path

from openai import OpenAI


def main(url: str, files: list[str]) -> None:
    """Ask for each; the key is in OPENAI_API_KEY."""
    client = OpenAI(base_url=f"{url}/v1", max_retries=0)
    heard = {}
    for file in files:
        with Path(file).open("rb") as audio:
            heard[Path(file).name] = client.audio.transcriptions.create(model="whisper-1", file=audio).text
    sys.stdout.write(json.dumps(heard) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
