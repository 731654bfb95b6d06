"""The engines that run a Whisper checkpoint on a device, behind one protocol."""
