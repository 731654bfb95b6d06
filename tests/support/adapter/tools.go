//go:build tools

// Package tools pins an adapter that serves the metrics which somebody writes into it to autoscalers.
package tools

import _ "sigs.k8s.io/custom-metrics-apiserver/test-adapter"
