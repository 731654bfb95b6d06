"""What a server tells a stream is what docs/asyncapi.json says of it."""

import json
from pathlib import Path

from openapi_schema_validator import OAS31Validator

from tests.api.conftest import EXAMPLES
from tests.support.running_server import RunningServer
from tests.support.speaking import connect, pcm, say, until_closed

DOCUMENT = json.loads((EXAMPLES.parent / "docs/asyncapi.json").read_text(encoding="utf-8"))


def test_every_message_is_as_described(server: RunningServer, clip: Path) -> None:
    with connect(server) as connection:
        told = say(connection, pcm(clip), partial_interval_seconds=0.5, word_timestamps=True)
    with connect(server) as connection:
        connection.send(json.dumps({"type": "start", "language": "klingon"}))
        told += until_closed(connection)
    assert {"ready", "partial", "final", "endpoint", "closed", "error"} <= {each["type"] for each in told}
    for message in told:
        described = DOCUMENT["components"]["messages"][message["type"]]["payload"]
        OAS31Validator(described | {"components": DOCUMENT["components"]}).validate(message)
        name = described["$ref"].rsplit("/", 1)[1]
        assert message.keys() == DOCUMENT["components"]["schemas"][name]["properties"].keys()
