package lead

import "belfry/pkg/eventlog"

// Next is the place of a reader that begins behind the end of the log.
const Next int64 = -1

// Effect is something that the driver does, in the order in which effects come.
type Effect interface{ effect() }

type (
	// Send publishes a message to a gateway. Where Batch is not 0 the driver calls
	// Settled with it when the broker has said what became of the message.
	Send struct {
		Gateway string
		Batch   uint64
		Message any
	}

	// SendAll publishes a message to all gateways.
	SendAll struct{ Message any }

	// OpenReader consumes the log from the entry at an offset on, or Next. Entries
	// come by Read, the end by ReaderEnded. A number is used once.
	OpenReader struct {
		Reader int
		At     int64
	}

	// CloseReader ends a reader; what it still brings is dropped.
	CloseReader struct{ Reader int }

	// WriteMark publishes a mark with this id to the log, mandatory.
	WriteMark struct{ ID string }

	// PutBaton publishes a baton to the lead queue.
	PutBaton struct{}

	// AckBaton acks an older baton; the newest stays unacked.
	AckBaton struct{ Baton uint64 }

	// LeaveBaton closes the channel on which batons came, and consumes again on
	// another.
	LeaveBaton struct{}

	// Park publishes an event that nobody can be sent to belfry.dead.
	Park struct {
		Entry  eventlog.Entry
		Index  int
		Reason string
	}
)

func (Send) effect()        {}
func (SendAll) effect()     {}
func (OpenReader) effect()  {}
func (CloseReader) effect() {}
func (WriteMark) effect()   {}
func (PutBaton) effect()    {}
func (AckBaton) effect()    {}
func (LeaveBaton) effect()  {}
func (Park) effect()        {}
