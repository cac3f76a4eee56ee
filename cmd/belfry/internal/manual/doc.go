// Package manual writes the documentation that follows from the programs
// themselves: docs/configuration.md. It holds no state.
package manual

//go:generate go run ./write ../../../../docs/configuration.md
