"""The service: admit, decode audio, schedule windows, guard, hand out the transcript. Knows no transport."""
