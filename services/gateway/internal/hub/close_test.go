package hub

import (
	"errors"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/zap"

	"belfry/pkg/protocol"
)

// owner counts how often its connection was asked to end.
type owner struct{ codes []protocol.CloseCode }

func (o *owner) Close(code protocol.CloseCode, _ string) { o.codes = append(o.codes, code) }

// TestClosingIsSpread: connections are closed at an even rate by the clock that
// closeDue is given.
func TestClosingIsSpread(t *testing.T) {
	const n, spread = 100, 10 * time.Second
	h := New(Options{Logger: zap.NewNop()})
	var owners []*owner
	for range n {
		o := new(owner)
		c := &Conn{id: h.NextID(), owner: o}
		h.addLocked(c)
		owners = append(owners, o)
	}
	closed := func() (sum int) {
		for _, o := range owners {
			if len(o.codes) > 1 || len(o.codes) == 1 && o.codes[0] != protocol.CloseTryLater {
				t.Fatalf("a connection was closed with %v", o.codes)
			}
			sum += len(o.codes)
		}
		return sum
	}
	h.CloseAll(protocol.CloseTryLater, spread)
	sets := []closing{<-h.closing}
	late := &owner{} // added after CloseAll
	h.addLocked(&Conn{owner: late})
	start := sets[0].start
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{0, 0}, {time.Second, 10}, {time.Second + spread/n - 1, 10}, {5 * time.Second, 50}, {5 * time.Second, 50}, {spread - 1, 99}, {spread, 100}, {2 * spread, 100}} {
		sets = closeDue(sets, start.Add(step.after))
		if got := closed(); got != step.want {
			t.Errorf("after %v %d are closed, want %d", step.after, got, step.want)
		}
		if (len(sets) == 0) != (step.want == n) {
			t.Errorf("after %v %d sets are left to close", step.after, len(sets))
		}
	}
	if len(late.codes) != 0 {
		t.Error("a connection that was added after CloseAll was closed")
	}
}

func TestCloseAll(t *testing.T) {
	for _, spread := range []time.Duration{0, 100 * time.Millisecond} {
		t.Run(spread.String(), func(t *testing.T) {
			r := newRig(t)
			var browsers []*browser
			for range 20 {
				browsers = append(browsers, r.open())
			}
			member := browsers[0]
			r.hub.Apply(member.conn, groups("jobs-1", "jobs-2"), nil, []byte("joined"))
			member.expect("joined")
			r.hub.CloseAll(protocol.CloseTryLater, spread)
			member.expect(`{"gap": ["jobs-1", "jobs-2"]}`)
			for _, b := range browsers {
				_, err := b.next()
				if closed, ok := errors.AsType[websocket.CloseError](err); !ok || closed.Code != 1013 {
					t.Fatalf("it ended with %v", err)
				}
			}
			r.open() // new connections are still accepted
		})
	}
}
