module example.invalid/whisper-operator/adapter

go 1.25.0

require sigs.k8s.io/custom-metrics-apiserver v1.36.0
