// Package environment defines the variables that the command line reads from the
// environment, in one struct for each command, and finds a running `belfry dev`.
//
// Vocabulary: a spec is a struct that settings.Load fills. If several commands read the
// same variables, their specs embed a common one. A command's flags take precedence over
// its spec. The package has no state.
package environment
