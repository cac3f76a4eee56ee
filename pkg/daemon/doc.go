// Package daemon has what Belfry's long-running programs share: signals and exit status
// (Main), starting and stopping in order (Steps), the log (Log), and the HTTP listener for
// health checks and metrics (Admin).
//
// Vocabulary: a step is a part of a program that starts and stops. A program stops its
// steps in reverse order, each with its own time limit. Live means that the process
// answers; ready means that it can serve clients now.
//
// The only global variable is Version. Main is called once; Steps is used by one
// goroutine; Admin's methods may be called concurrently.
package daemon

// Version is what the build was given, set by the linker.
var Version = "unknown"
