// Package shipped keeps the configuration files that Belfry ships for operators
// (docker-compose.yml, Procfile's .env, and the files below deploy/) in agreement with the
// programs. The files are written by hand, except for ports, paths, users and periods:
// these values follow from the programs (values.go). A slot is a place in a file that
// holds a value (slots_*.go), and `make docs` writes all slots.
//
// It is an error if a slot is not found, or is found more often than it says, so that no
// value is overlooked when somebody rewrites a file.
package shipped
