// Package settings reads the configuration of Belfry's programs from the
// environment: every variable begins with BELFRY_.
//
// Vocabulary:
//
//   - A spec is a pointer to a program's configuration struct. Its fields carry
//     `split_words:"true"`, `default` and `desc` tags; what it embeds is read
//     as its own.
//   - A known name is a variable that some Belfry program reads. One
//     environment often serves all programs, so a known name of another program
//     is fine; a BELFRY_ variable that none knows is an error, because it is a
//     setting that somebody believes to be in force.
//   - A Secret is a value that no way of printing gives away.
//
// A nil error from Load means that the spec is filled, complete and valid.
// Errors name the variable and what to do. The package holds no state, starts
// no goroutine, and its functions may be called concurrently.
package settings
