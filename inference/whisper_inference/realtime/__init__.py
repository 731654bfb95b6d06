"""OpenAI's Realtime transcription: its events over the sessions of live speech. docs/realtime.md describes it."""
