// Package load puts Belfry under load and proves what came out: publishers that
// write down each emit, clients that write down each frame, and a checker that
// holds the one against the other.
//
// Every payload carries its publisher, its group and a counter per publisher and
// group, so the checker needs no help from Belfry. All times are of one process
// and one clock.
//
// What a connection is owed: an emit whose publish started after the connection
// had its subscribe reply, and which was confirmed before the connection sent
// its next change or its close, arrives once and in the order of its publisher,
// or a gap notice names its group, or the connection was closed by the server. What
// was published in the last second before the client left the group may be on its
// way when the leave takes effect: it is counted apart (docs/decisions/0010), and
// so is what reached others only after the leave.
package load

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Emit is one emit as its publisher saw it.
type Emit struct {
	Publisher int
	Group     string
	N         int // counts from 1 for each publisher and group
	Start     time.Time
	Confirmed time.Time // zero: never confirmed
}

// payload is what an emit carries.
type payload struct {
	GroupName string `json:"group_name"`
	Publisher int    `json:"publisher"`
	Group     string `json:"group"`
	N         int    `json:"n"`
}

// Ledger holds every emit. Its methods may be called concurrently.
type Ledger struct {
	mu    sync.Mutex
	emits []Emit
}

// Started writes down an emit that is about to be published and returns its
// place in the ledger.
func (l *Ledger) Started(e Emit) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.emits = append(l.emits, e)
	return len(l.emits) - 1
}

// Confirmed writes down that the emit at place was confirmed now.
func (l *Ledger) Confirmed(place int) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.emits[place].Confirmed = now
}

// Count says how many emits were started and confirmed so far.
func (l *Ledger) Count() (attempted, confirmed int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.emits {
		if !l.emits[i].Confirmed.IsZero() {
			confirmed++
		}
	}
	return len(l.emits), confirmed
}

func (l *Ledger) all() []Emit {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.emits)
}

// Payload is the JSON that stands for e.
func Payload(e Emit) []byte {
	name, _, _ := strings.Cut(e.Group, "-")
	b, err := json.Marshal(payload{GroupName: name, Publisher: e.Publisher, Group: e.Group, N: e.N})
	if err != nil {
		panic(fmt.Sprintf("encode a payload: %v", err)) // four plain fields
	}
	return b
}
