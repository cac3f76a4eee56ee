// Package check looks at an installation from one place: the configuration in
// the environment, the broker, what this broker user may do there, and whether
// what runs there fits together.
//
// Vocabulary: a finding is a line of the report. It is good, a note (nothing to
// do, or not to be judged from here), or wrong, and then it says how to mend
// it. A role is what the environment is for: gateway, worker or backend.
//
// The check changes nothing that stays: it declares nothing that is not there
// already, but a reply queue of its own, which it removes. In an installation
// with its queues it emits one event, to the group belfry-check, which nobody
// watches.
package check
