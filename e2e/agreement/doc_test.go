// Package agreement reads the shipped files beside the programs' sources, for what
// only a test can hold: that nginx logs no token, that every variable is one that
// its program reads, that a shell and systemd read the samples of variables alike,
// that the Procfile and the images run what is built, that nginx and the gateway
// take the same paths, that the broker has the users, and what programs must not
// link. Nothing is started. Ports, paths and periods are not compared here: they are
// written by cmd/belfry/internal/shipped.
//
// Each fact is proved to be able to fail: a mutation of one file breaks it.
package agreement
