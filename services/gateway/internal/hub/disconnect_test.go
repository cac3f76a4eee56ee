package hub

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/coder/websocket"

	"belfry/pkg/protocol"
	"belfry/services/gateway/internal/wsconn"
)

func (b *browser) expectClose(code websocket.StatusCode) {
	b.t.Helper()
	if text, err := b.next(); websocket.CloseStatus(err) != code {
		b.t.Fatalf("got %q, %v, want close %d", text, err, code)
	}
}

func TestDisconnectClosesMatchingConnections(t *testing.T) {
	r := newRig(t)
	phone, laptop, other := r.openAs("user=7&sid=phone"), r.openAs("user=7&sid=laptop"), r.openAs("user=8&sid=phone")
	r.hub.Disconnect(protocol.Disconnect{User: "7", SID: "phone"})
	phone.expectClose(4403)
	r.hub.Disconnect(protocol.Disconnect{User: "7", SID: "tablet"}) // has no connection
	r.hub.Apply(laptop.conn, groups("jobs-1"), nil, []byte("joined"))
	laptop.expect("joined")
	r.hub.Disconnect(protocol.Disconnect{User: "7"})
	laptop.expectClose(4403)
	r.hub.Apply(other.conn, groups("jobs-1"), nil, []byte("joined"))
	other.expect("joined")
}

// TestOrdersDuringHandshake: an order also applies to handshakes whose token was
// being checked when it arrived, and to none that began after it.
func TestOrdersDuringHandshake(t *testing.T) {
	var o orders
	start := time.Unix(1000, 0)
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	seven := protocol.Principal{User: "7", SID: "phone"}
	expect := func(who protocol.Principal, asked time.Time, want error) {
		t.Helper()
		if err := o.check(who, asked); !errors.Is(err, want) {
			t.Errorf("%v who asked at %v: %v, want %v", who, asked.Sub(start), err, want)
		}
	}
	expect(seven, at(0), nil)
	o.add(protocol.Disconnect{User: "7", SID: "phone"}, at(10))
	expect(seven, at(9), ErrDisconnected)
	expect(seven, at(10), ErrDisconnected)
	expect(seven, at(11), nil)
	expect(protocol.Principal{User: "7"}, at(9), nil)
	expect(protocol.Principal{User: "8", SID: "phone"}, at(9), nil)

	o.add(protocol.Disconnect{User: "8"}, at(10+int(orderKept/time.Second)+1))
	if len(o.list) != 1 {
		t.Errorf("%d orders are remembered, want the one that is not too old", len(o.list))
	}
	for i := range maxOrders + 1 {
		o.add(protocol.Disconnect{User: fmt.Sprint("u", i)}, at(300))
	}
	if len(o.list) != maxOrders {
		t.Errorf("%d orders are remembered", len(o.list))
	}
	expect(seven, at(299), ErrUncertain)
	expect(seven, at(301), nil)
}

func TestAddRefusesUserDisconnectedDuringHandshake(t *testing.T) {
	r := newRig(t)
	asked := time.Now()
	r.hub.Disconnect(protocol.Disconnect{User: "7"})
	n := Newcomer{ID: r.hub.NextID(), Out: new(wsconn.Conn), Who: protocol.Principal{User: "7"}, Asked: asked}
	if _, err := r.hub.Add(n); !errors.Is(err, ErrDisconnected) {
		t.Errorf("got %v, want %v", err, ErrDisconnected)
	}
	if r.hub.Len() != 0 {
		t.Error("the connection was added all the same")
	}
}
