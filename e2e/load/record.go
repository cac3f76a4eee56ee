package load

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"belfry/pkg/protocol"
)

// Record is what one connection saw, in order. It is written by the goroutine
// that reads the connection and checked after that has ended.
type Record struct {
	Name   string
	Client string // whose connection it is
	// Allowed says which groups this connection's user may see; nil: all.
	Allowed func(group string) bool

	entries []entry
	// Accepted is when the accept frame came; Closed when the connection ended.
	Accepted, Closed time.Time
	// Code is the close code, 0 when the connection ended without one.
	Code int
	// Left is set when the client itself ended the connection: nothing is owed
	// that was confirmed after it.
	Left time.Time
}

type kind byte

const (
	sawEvent kind = iota
	sawGroups
	sawGap
	sawDenied
	sawUnavailable
	sentChange
	sawOther
)

type entry struct {
	kind   kind
	at     time.Time
	event  payload
	groups []string
	text   string
}

// frames that the server sends besides events.
type answer struct {
	Accept  *bool     `json:"accept"`
	Current *[]string `json:"groups_current"`
	Gap     *[]string `json:"gap"`
	Error   *string   `json:"error"`
	payload
}

// Changing writes down that the client is about to send a new set of groups.
func (r *Record) Changing(groups []string) {
	r.entries = append(r.entries, entry{kind: sentChange, at: time.Now(), groups: slices.Clone(groups)})
}

// Saw writes down a text frame and returns what it was, for the client's own
// steps: "accept", "groups", "gap", "denied", "unavailable", "event" or "other".
func (r *Record) Saw(text string) string {
	now := time.Now()
	var a answer
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		r.entries = append(r.entries, entry{kind: sawOther, at: now, text: text})
		return "other"
	}
	switch {
	case a.Current != nil:
		r.entries = append(r.entries, entry{kind: sawGroups, at: now, groups: *a.Current})
		return "groups"
	case a.Gap != nil:
		r.entries = append(r.entries, entry{kind: sawGap, at: now, groups: *a.Gap})
		return "gap"
	case a.Group != "":
		r.entries = append(r.entries, entry{kind: sawEvent, at: now, event: a.payload})
		return "event"
	case a.Error != nil && *a.Error == protocol.Unavailable:
		r.entries = append(r.entries, entry{kind: sawUnavailable, at: now})
		return "unavailable"
	case a.Error != nil:
		if group, ok := denied(*a.Error); ok {
			r.entries = append(r.entries, entry{kind: sawDenied, at: now, groups: []string{group}})
			return "denied"
		}
	case a.Accept != nil && *a.Accept && r.Accepted.IsZero():
		r.Accepted = now
		return "accept"
	}
	r.entries = append(r.entries, entry{kind: sawOther, at: now, text: text})
	return "other"
}

// denied is the group that an error frame denies.
func denied(text string) (group string, ok bool) {
	rest, ok := strings.CutPrefix(text, "access denied to channel ")
	name, item, cut := strings.Cut(rest, " for resource id ")
	return name + "-" + item, ok && cut
}

// Events says how many events came so far.
func (r *Record) Events() int {
	n := 0
	for i := range r.entries {
		if r.entries[i].kind == sawEvent {
			n++
		}
	}
	return n
}

// LastEvent is when the last event came.
func (r *Record) LastEvent() time.Time {
	for i := len(r.entries) - 1; i >= 0; i-- {
		if r.entries[i].kind == sawEvent {
			return r.entries[i].at
		}
	}
	return time.Time{}
}

// FirstEventAfter is when the first event after t came; zero: none.
func (r *Record) FirstEventAfter(t time.Time) time.Time {
	for i := range r.entries {
		if r.entries[i].kind == sawEvent && r.entries[i].at.After(t) {
			return r.entries[i].at
		}
	}
	return time.Time{}
}

// Gaps says how many gap notices came.
func (r *Record) Gaps() int {
	n := 0
	for i := range r.entries {
		if r.entries[i].kind == sawGap {
			n++
		}
	}
	return n
}

// WithoutGapSince are the groups that the connection had at the end and of which
// no gap notice came after t. Of a connection that has ended there are none.
func (r *Record) WithoutGapSince(t time.Time) []string {
	if r.Left.IsZero() {
		return nil
	}
	var current []string
	told := map[string]bool{}
	for i := range r.entries {
		switch e := &r.entries[i]; {
		case e.kind == sawGroups:
			current = e.groups
		case e.kind == sawGap && e.at.After(t):
			for _, group := range e.groups {
				told[group] = true
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(current), func(group string) bool { return told[group] })
}

func (e payload) String() string { return fmt.Sprintf("%s#%d.%d", e.Group, e.Publisher, e.N) }
