package follow

import (
	"belfry/pkg/eventlog"
	"belfry/pkg/protocol"
)

// ConnID is a connection of this gateway.
type ConnID int64

// Effect is something that the driver does, in the order in which effects come. One for
// a connection that an effect before it has ended is nothing.
type Effect interface{ effect() }

type (
	// Send publishes a message to a worker. What is refused or returned is sent
	// again, or not: nothing depends on it but time.
	Send struct {
		Worker  string
		Message any
	}

	// SendAll publishes a message to all workers.
	SendAll struct{ Message any }

	// Ask publishes a question for any worker.
	Ask struct{ Fill eventlog.Fill }

	// Deliver gives an event to every member of its group whose connection is not
	// held back for the log.
	Deliver struct {
		Log   int
		Event *eventlog.Event
	}

	// DeliverTo gives an event that it missed to one connection.
	DeliverTo struct {
		Conn  ConnID
		Log   int
		Event *eventlog.Event
	}

	// Answer makes the connection a member of exactly these groups, and then tells
	// it so. At says where it stands in each log: what it resumes with, if it goes on
	// from there, when it is away again.
	Answer struct {
		Conn   ConnID
		Groups []protocol.Group
		At     []eventlog.ClientCursor
	}

	// Unavailable tells the connection that its groups could not be made active.
	Unavailable struct{ Conn ConnID }

	// Hold keeps live events of a log from a connection.
	Hold struct {
		Conn ConnID
		Log  int
	}

	// Release ends a Hold.
	Release struct {
		Conn ConnID
		Log  int
	}

	// Gap tells the connection that events of these groups may be missing in front of
	// At; from there on it gets them.
	Gap struct {
		Conn   ConnID
		Groups []protocol.Group
		At     eventlog.ClientCursor
	}

	// CloseAll closes all connections with 1013: a log has had no leader for long.
	CloseAll struct{ Log int }
)

func (Send) effect()        {}
func (SendAll) effect()     {}
func (Ask) effect()         {}
func (Deliver) effect()     {}
func (DeliverTo) effect()   {}
func (Answer) effect()      {}
func (Unavailable) effect() {}
func (Hold) effect()        {}
func (Release) effect()     {}
func (Gap) effect()         {}
func (CloseAll) effect()    {}
