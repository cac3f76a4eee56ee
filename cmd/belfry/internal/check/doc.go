// Package check examines an installation: the configuration in the environment, the
// broker, what this broker user is permitted to do there, and whether the running
// programs fit together.
//
// Vocabulary: a finding is one line of the report. It is ok, a note (no action is
// needed, or it cannot be judged from here), or WRONG, and then it says how to fix
// it. A role is what the environment is for: gateway, worker or backend.
//
// The check leaves nothing behind: it declares only what exists already, and a reply
// queue of its own, which it deletes. Where the queues exist it emits one event, to
// the group belfry-check, which no client watches.
package check
