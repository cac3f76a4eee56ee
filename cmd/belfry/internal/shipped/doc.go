// Package shipped keeps the files that Belfry ships for its operators true:
// docker-compose.yml, Procfile's .env, and what is below deploy/. They are
// written and commented by hand; the ports, paths, users and periods in them are
// not: they are values, which follow from the programs (values.go), and each
// place that holds one is a slot (slots_*.go). `make docs` writes every slot.
//
// A slot that is not found, or found more often than it says, is an error: so a
// value cannot get out of sight when somebody rewrites a file.
package shipped
