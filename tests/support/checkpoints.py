"""Where the demo model is, and the clips with what is said in them."""

import json
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from whisper_inference.arrays import FloatArray

EXAMPLES = Path(__file__).parents[2] / "examples"
DEMO_MODEL = EXAMPLES / "models/demo"
CLIPS = EXAMPLES / "audio"
MORE_CLIPS = EXAMPLES.parents[1] / "shared/demo-model/clips"
"""Further recordings, beside some checkouts and not in the repository."""

SAMPLE_RATE = 16_000


@dataclass(frozen=True, slots=True)
class Clip:
    """A recording and what is said in it."""

    path: Path
    text: str
    seconds: float
    seen: bool
    """Its voice was heard in training."""
    synthesiser: str

    @property
    def name(self) -> str:
        """For test ids."""
        return self.path.name

    @property
    def long(self) -> bool:
        """It needs more than one window."""
        return self.seconds > 30

    def samples(self) -> FloatArray:
        """Decode it with ffmpeg's libraries: 16 kHz mono float32."""
        return _decode(self.path)


def read_clips(folder: Path) -> list[Clip]:
    """Read the list of a folder's clips; empty where there is no folder."""
    if not (folder / "clips.json").exists():
        return []
    return [
        Clip(
            path=folder / entry["file"],
            text=entry["text"],
            seconds=entry["seconds"],
            seen=entry.get("voices", "").startswith("seen"),
            synthesiser=entry.get("synthesiser", ""),
        )
        for entry in json.loads((folder / "clips.json").read_text(encoding="utf-8"))
    ]


def _decode(path: Path) -> FloatArray:
    with av.open(path) as container:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)
        frames = [piece for frame in container.decode(audio=0) for piece in resampler.resample(frame)]
        frames += resampler.resample(None)
    return np.concatenate([frame.to_ndarray()[0] for frame in frames]).astype(np.float32)
