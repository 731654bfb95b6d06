//go:build tools

// Package tools pins CoreDNS, which gives the pods of the tests their names.
package tools

import _ "github.com/coredns/coredns"
