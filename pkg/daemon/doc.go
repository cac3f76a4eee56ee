// Package daemon is what Belfry's long-running programs have in common: the
// process's frame (Main), the order of starting and stopping (Steps), the
// log (Log), and the admin listener (health and metrics).
//
// Vocabulary: a step is one part of a program that starts and stops; a stopping
// program undoes its steps in reverse order, each within its own time. Live
// means that the process answers; ready means that it can serve now.
//
// Nothing here is global but Version. Main is called once; Steps belongs to one
// goroutine; Admin's methods may be called concurrently.
package daemon

// Version is what the build was given, set by the linker.
var Version = "unknown"
