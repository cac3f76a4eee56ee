package follow

import (
	"time"

	"belfry/pkg/eventlog"
)

// Options of a Gateway. The zero value of each but the first two is the default.
type Options struct {
	Gateway string // identity, incarnation included
	Shards  int    // of the installation

	MaxLag       int64         // entries behind the end at which it goes on there, with a gap; default 200,000
	LookBack     int64         // entries behind the end beyond which nobody subscribes; default eventlog.LookBack
	WindowBytes  int           // of a log's window; default 8 MiB
	WindowAge    time.Duration // default 60 s
	SnapshotPart int           // tags in a part of a snapshot; default 8,192
	Linger       time.Duration // how long a group without members stays; default 10 s
}

// Periods of the rules.
const (
	lifeEvery      = 2 * time.Second  // signs of life
	firstPatience  = 2 * time.Second  // from a hello to the first batch of its feed; doubled each time
	mostPatience   = 30 * time.Second // its bound
	silence        = 6 * time.Second  // without a batch: the leader is asked for
	askAgain       = 2 * time.Second  // while nobody leads
	routeLost      = 30 * time.Second // without a batch: connections are closed
	atMostOnceIn   = time.Second      // snapshots, changes and hellos because of one batch
	heardLately    = 3 * time.Second  // a leader sends something every 2 s
	answerWithin   = 5 * time.Second  // a client's message
	partWithin     = 3 * time.Second  // of a filling; then it is asked for again
	fillWithin     = 20 * time.Second // without getting any further
	maxFills       = 32               // of a gateway at a time; workers read them together
	mostOfOneTick  = time.Second      // a clock that jumps counts this much
	eventOverhead  = 128              // bytes of an event in the window beside its payload
	defaultMaxLag  = 200_000
	defaultWindow  = 8 << 20
	defaultAge     = 60 * time.Second
	defaultPart    = 8192
	defaultLinger  = 10 * time.Second
	defaultLookout = eventlog.LookBack
)

func (o Options) complete() Options {
	if o.Shards < 1 {
		o.Shards = 1
	}
	if o.MaxLag == 0 {
		o.MaxLag = defaultMaxLag
	}
	if o.LookBack == 0 {
		o.LookBack = defaultLookout
	}
	if o.WindowBytes == 0 {
		o.WindowBytes = defaultWindow
	}
	if o.WindowAge == 0 {
		o.WindowAge = defaultAge
	}
	if o.SnapshotPart == 0 {
		o.SnapshotPart = defaultPart
	}
	if o.Linger == 0 {
		o.Linger = defaultLinger
	}
	return o
}

// logs is the number of logs: with several shards the last is that of events which
// came without a shard.
func (o Options) logs() int {
	if o.Shards == 1 {
		return 1
	}
	return o.Shards + 1
}
