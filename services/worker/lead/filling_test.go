package lead

import (
	"bytes"
	"fmt"
	"testing"

	"belfry/pkg/eventlog"
	"belfry/pkg/protocol"
)

// A gateway that takes its parts slowly makes a filler keep one part on its way and
// less than another collected: the reading goes on later from there, and nothing is
// left out or sent twice.
func TestAFillingIsBounded(t *testing.T) {
	const entries = 40
	body := bytes.Repeat([]byte{'7'}, 100<<10)
	at := func(i int64) *eventlog.Entry {
		return &eventlog.Entry{Offset: i, ID: fmt.Sprint("e", i), Key: "jobs-1", Body: body}
	}
	cursor := func(i int64) eventlog.Cursor {
		return eventlog.Cursor{Offset: i, FP: eventlog.Key(nil).Fingerprint(i, fmt.Sprint("e", i), body)}
	}
	f := NewFiller(Options{Worker: "w", LookBack: 5})
	f.Take(eventlog.Fill{
		Gateway: "g", ID: 1, After: cursor(0).End(), FP: cursor(0).FP, To: cursor(entries),
		Tags: []eventlog.Tag{eventlog.TagOf(protocol.Group("jobs-1"))},
	})
	var (
		open, opened int
		next         int64 // what the reader brings next
		settle       []uint64
		got          []int64
		reached      = cursor(0).End()
		done         bool
	)
	perform := func() {
		for _, e := range f.Effects() {
			switch e := e.(type) {
			case OpenReader:
				open, next = e.Reader, e.At
				opened++
			case CloseReader:
				open = 0
			case Send:
				part := e.Message.(eventlog.Filled)
				if part.Gap || part.From != reached {
					t.Fatalf("a part from %v to %v, gap %v: %v was reached", part.From, part.To, part.Gap, reached)
				}
				for i := range part.Events {
					got = append(got, part.Events[i].Offset)
				}
				reached, done = part.To, part.Done
				settle = append(settle, e.Batch)
			}
		}
	}
	perform()
	for range 1000 {
		for open != 0 && next <= entries {
			f.Read(open, at(next))
			next++
			perform()
			if len(settle) > 1 {
				t.Fatalf("%d parts are on their way", len(settle))
			}
			for _, r := range f.readings {
				for _, x := range r.fillings {
					if x.bytes > f.o.BatchBytes+len(body)+eventOverhead+10 {
						t.Fatalf("%d bytes are collected", x.bytes)
					}
				}
			}
		}
		if done {
			break
		}
		id := settle[0]
		settle = settle[1:]
		f.Settled(id, true)
		perform()
	}
	if !done || len(got) != entries || opened < 3 {
		t.Fatalf("done %v with %d events of %d, and %d readings", done, len(got), entries, opened)
	}
	for i, offset := range got {
		if offset != int64(i+1) {
			t.Fatalf("event %d is of offset %d", i, offset)
		}
	}
	if len(f.aside)+len(f.waiting)+len(f.readings) != 0 {
		t.Errorf("something is left: %d, %d, %d", len(f.aside), len(f.waiting), len(f.readings))
	}
}
