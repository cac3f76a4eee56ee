// Package environment holds what the command line reads from the environment,
// one struct for each command, and the list of all that Belfry's programs read,
// from which docs/configuration.md is written.
//
// Vocabulary: a spec is a struct that settings.Load fills; it is embedded where
// several commands read the same. Flags of a command win over its spec. The
// package holds no state.
package environment
