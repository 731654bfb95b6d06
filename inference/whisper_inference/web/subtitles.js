// Final segments as files that people read: the same text as the server's own formats (whisper_inference/formats.py).

export const FORMATS = {
  txt: { kind: "text/plain", render: renderText },
  srt: { kind: "application/x-subrip", render: renderSrt },
  vtt: { kind: "text/vtt", render: renderVtt },
};

function renderText(segments) {
  return `${segments.map(({ text }) => text).join("").trim()}\n`;
}

function renderSrt(segments) {
  const cues = listCues(segments);
  return cues.map(({ start, end, text }, at) => `${at + 1}\n${clock(start, ",")} --> ${clock(end, ",")}\n${text}\n`).join("\n");
}

function renderVtt(segments) {
  const cues = listCues(segments).map(({ start, end, text }) => {
    const escaped = text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
    return `${clock(start, ".")} --> ${clock(end, ".")}\n${escaped}\n`;
  });
  return ["WEBVTT\n", ...cues].join("\n");
}

function listCues(segments) {
  return segments
    .map(({ start, end, text }) => ({ start, end: Math.max(start, end), text: text.trim().split(/\s+/).join(" ") }))
    .filter(({ text }) => text !== "")
    .map((cue) => ({ ...cue, text: cue.text.replaceAll("-->", "->") })); // an arrow would end a cue's times
}

function clock(seconds, separator) {
  const milliseconds = Math.max(0, Math.round(seconds * 1000));
  const digits = (number, width) => String(number).padStart(width, "0");
  const [hours, minutes, whole] = [milliseconds / 3_600_000, (milliseconds / 60_000) % 60, (milliseconds / 1000) % 60];
  const parts = [hours, minutes, whole].map((part) => digits(Math.floor(part), 2));
  return `${parts.join(":")}${separator}${digits(milliseconds % 1000, 3)}`;
}
