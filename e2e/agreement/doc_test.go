// Package agreement reads what deploy/ ships, the Procfile and docker-compose.yml
// beside the programs' own structs and constants, and fails where ports, paths,
// variables, time-outs or grace periods disagree. Nothing is started.
//
// Each fact is proved to be able to fail: a mutation of one file breaks it.
package agreement
