// Package settings reads the configuration of Belfry's programs from the
// environment. Every variable begins with BELFRY_.
//
// Vocabulary:
//
//   - A spec is a pointer to a program's configuration struct. Its fields carry
//     `split_words:"true"`, `default` and `desc` tags. An embedded struct is read
//     as if its fields were the spec's own.
//   - A known name is a variable that some Belfry program reads. One environment
//     often serves all programs, so a known name of another program is accepted. A
//     BELFRY_ variable that no program reads is an error, because somebody
//     believes that it has an effect.
//   - A Secret is a value that is never printed.
//
// A nil error from Load means that the spec is filled, complete and valid. Errors
// name the variable and say what to do. The package starts no goroutine, and its
// functions may be called concurrently.
package settings
