// Package manual generates files from the programs' structs of settings:
// docs/configuration.md, and the list of all settings that is compiled into every program
// (pkg/settings/known.go). It has no state.
package manual

//go:generate go run ./write ../../../..
