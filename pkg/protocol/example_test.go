package protocol_test

import (
	"fmt"

	"belfry/pkg/protocol"
)

// A group is a name, a dash and an item.
func ExampleMakeGroup() {
	group, err := protocol.MakeGroup("job_events", "42")
	fmt.Println(group, err)
	_, err = protocol.MakeGroup("job-events", "42")
	fmt.Println(err)
	// Output:
	// job_events-42 <nil>
	// a group name must not contain a dash
}

// A client message replaces the connection's whole set of groups.
func ExampleDecodeClientMessage() {
	groups, err := protocol.DecodeClientMessage(
		[]byte(`{"groups": {"jobs": ["status_changed"], "job_events": [42, 43]}}`), protocol.ClientLimits{MaxGroups: 1000})
	fmt.Println(groups, err)
	_, err = protocol.DecodeClientMessage([]byte(`{"groups": {"jobs": "status_changed"}}`), protocol.ClientLimits{MaxGroups: 1000})
	fmt.Println(err)
	// Output:
	// [jobs-status_changed job_events-42 job_events-43] <nil>
	// the value of "jobs" must be a list
}

// An emitter that knows the number of shards computes the group's shard itself, in every
// language in the same way: see testdata/shards.json.
func ExampleShardOf() {
	fmt.Println(protocol.ShardOf("job_events-42", 1), protocol.ShardOf("job_events-42", 4))
	// Output: 0 1
}
