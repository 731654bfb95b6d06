//go:build tools

// Package tools pins KEDA: its operator, and the adapter through which autoscalers ask it.
package tools

import (
	_ "github.com/kedacore/keda/v2/cmd/adapter"
	_ "github.com/kedacore/keda/v2/cmd/operator"
)
