module example.invalid/whisper-operator/pause

go 1.25.0
