package lead

import (
	"time"

	"belfry/pkg/eventlog"
)

// MarkType is the AMQP type of marks.
const MarkType = "mark"

// Options of a Machine. The zero value of each but the first two is the default.
type Options struct {
	Worker string // identity
	Log    int
	Key    eventlog.Key
	// MarkID draws the id of a mark, which nobody else draws.
	MarkID func() string

	LookBack int64 // entries; default eventlog.LookBack
	Recent   int   // entries that are kept for who is a little behind; default 4,096
	// BatchBytes bounds a batch and a part of a filling (default 256 KiB), but for the
	// event that comes last. Of a feed that has batches on their way so much is collected
	// four times.
	BatchBytes int
}

// Periods and bounds of the rules.
const (
	batonEvery    = 10 * time.Second       // every worker puts one in
	gatherHellos  = 300 * time.Millisecond // from the claim to the main reader
	markEvery     = 5 * time.Second        // while leading
	firstMarks    = time.Second            // while the end of the log is not known
	readerDead    = 10 * time.Second       // without an entry, though marks are written
	openAgainIn   = 250 * time.Millisecond // what ended on the way to a main reader
	auditEvery    = 10 * time.Second       // of the entry at top
	emptyEvery    = 2 * time.Second        // a batch for who has none
	askForTable   = time.Second            // after a hello
	verdictIn     = 10 * time.Second       // of a batch
	gatewayGone   = 15 * time.Second       // without a word
	claimAgainIn  = time.Second            // to one gateway
	mostOfOneTick = time.Second            // a clock that jumps counts this much

	mostMarks      = 64 // own ones that were not read
	maxUnconfirmed = 4
	maxRecentBytes = 16 << 20
	maxCatchUps    = 2
	eventOverhead  = 64 // bytes of an event in a batch beside group and payload
	normalStep     = 2  // of offsets: each segment begins with an internal chunk
)

func (o Options) complete() Options {
	if o.LookBack == 0 {
		o.LookBack = eventlog.LookBack
	}
	if o.BatchBytes == 0 {
		o.BatchBytes = 256 << 10
	}
	if o.Recent == 0 {
		o.Recent = 4096
	}
	return o
}
