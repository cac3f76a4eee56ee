package eventlog_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"belfry/pkg/eventlog"
)

// randomLog has few ids, so that copies are near and far, and offsets that the broker
// took for itself.
func randomLog(r *rand.Rand, entries int) []eventlog.Entry {
	var all []eventlog.Entry
	offset := int64(0)
	for range entries {
		offset += 1 + int64(r.IntN(8)/7)
		e := eventlog.Entry{Offset: offset, Exchange: "x", Key: "jobs-1", Body: []byte("b")}
		if n := r.IntN(30); n > 0 {
			e.ID = fmt.Sprint("id", n)
		}
		all = append(all, e)
	}
	return all
}

// byDefinition: the same stands at most size offsets before.
func byDefinition(all []eventlog.Entry, i int, size int64) bool {
	for j := range i {
		if all[i].ID != "" && all[j].ID == all[i].ID && all[j].Offset >= all[i].Offset-size {
			return true
		}
	}
	return false
}

// Whoever starts as many offsets before an entry as it looks back decides as the one who has
// read everything, from there on.
func TestAllReadersDecideAlike(t *testing.T) {
	const size = 20
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 1))
		all := randomLog(r, 200)
		from := r.IntN(len(all))
		late := eventlog.Duplicates{Size: size}
		everything := eventlog.Duplicates{Size: size}
		for i := range all {
			e := &all[i]
			want := byDefinition(all, i, size)
			if got := everything.Seen(e); got != want {
				t.Fatalf("log %d: the entry at %d: a copy %v, want %v", seed, e.Offset, got, want)
			}
			if e.Offset < all[from].Offset-size {
				continue
			}
			if got := late.Seen(e); i >= from && got != want {
				t.Fatalf("log %d: who starts %d before %d says of the entry at %d: a copy %v, want %v", seed, size, all[from].Offset, e.Offset, got, want)
			}
		}
	}
}

// A copy has the exchange, the routing key, the id, the timestamp and the body of the other;
// the group's header and the trace do not count.
func TestWhatACopyIs(t *testing.T) {
	first := eventlog.Entry{Offset: 1, Exchange: "x", Key: "k", ID: "i", Timestamp: 5, Body: []byte("b")}
	for name, x := range map[string]struct {
		change func(*eventlog.Entry)
		copied bool
	}{
		"nothing":   {func(*eventlog.Entry) {}, true},
		"trace":     {func(e *eventlog.Entry) { e.Trace = "t" }, true},
		"exchange":  {func(e *eventlog.Entry) { e.Exchange = "y" }, false},
		"key":       {func(e *eventlog.Entry) { e.Key = "l" }, false},
		"id":        {func(e *eventlog.Entry) { e.ID = "j" }, false},
		"no id":     {func(e *eventlog.Entry) { e.ID = "" }, false},
		"timestamp": {func(e *eventlog.Entry) { e.Timestamp = 6 }, false},
		"body":      {func(e *eventlog.Entry) { e.Body = []byte("c") }, false},
		"a border":  {func(e *eventlog.Entry) { e.Exchange, e.Key = "xk", "" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			var d eventlog.Duplicates
			a, b := first, first
			b.Offset = 2
			x.change(&b)
			if d.Seen(&a) {
				t.Error("the first is a copy")
			}
			if got := d.Seen(&b); got != x.copied {
				t.Errorf("the second is a copy: %v, want %v", got, x.copied)
			}
		})
	}
}
