// Package manual writes the files that follow from the programs themselves:
// docs/configuration.md, and the list of all settings that every program
// carries (pkg/settings/known.go). It holds no state.
package manual

//go:generate go run ./write ../../../..
