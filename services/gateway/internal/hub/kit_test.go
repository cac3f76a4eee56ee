package hub

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/zap"

	"belfry/pkg/protocol"
	"belfry/services/gateway/internal/wsconn"
)

const patience = 10 * time.Second

// rig is a hub with real websockets.
type rig struct {
	*testing.T
	hub    *Hub
	server *httptest.Server
	conns  chan *Conn
	served sync.WaitGroup // one per dial
}

func newRig(t *testing.T) *rig {
	r := newStillRig(t)
	ctx, cancel := context.WithCancel(context.Background())
	running := make(chan struct{})
	go func() { r.hub.Run(ctx); close(running) }()
	t.Cleanup(func() {
		cancel()
		<-running
	})
	return r
}

// newStillRig makes a rig whose hub does not Run, so that the test drives time.
func newStillRig(t *testing.T) *rig {
	o := wsconn.Options{}.WithDefaults()
	r := &rig{T: t, hub: New(Options{Logger: zap.NewNop()}), conns: make(chan *Conn, 64)}
	r.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		out, err := wsconn.Accept(w, request, "", &o)
		if err != nil {
			t.Errorf("accept: %v", err)
			r.served.Done()
			return
		}
		c, err := r.hub.Add(Newcomer{ID: r.hub.NextID(), Out: out, Owner: out, Who: whoOf(request), Asked: time.Now(), First: []byte("first")})
		if err != nil {
			out.Close(protocol.CloseGoingAway, "")
		} else {
			out.Flush()
			r.conns <- c
		}
		out.Serve(&deaf{r, c})
	}))
	t.Cleanup(func() {
		for _, c := range r.hub.all() {
			c.out.CloseNow()
		}
		r.served.Wait()
		r.server.Close()
	})
	return r
}

// deaf is the handler of a connection whose messages do not matter.
type deaf struct {
	rig  *rig
	conn *Conn // nil: the hub did not take it
}

func (d *deaf) Receive([]byte) {}
func (d *deaf) Crashed(any)    {}

func (d *deaf) Ended(end wsconn.Ending) {
	if d.conn != nil {
		d.rig.hub.Remove(d.conn, end)
	}
	d.rig.served.Done()
}

// browser is a client of the hub's.
type browser struct {
	t    *testing.T
	ws   *websocket.Conn
	conn *Conn // the hub's side
}

// whoOf returns the principal that the test named in the request's query.
func whoOf(r *http.Request) protocol.Principal {
	return protocol.Principal{User: r.FormValue("user"), SID: r.FormValue("sid")}
}

func (r *rig) open() *browser { return r.openAs("") }

// openAs opens a connection of the principal that the query names.
func (r *rig) openAs(query string) *browser {
	r.Helper()
	ws := r.dialAs(query)
	b := &browser{r.T, ws, <-r.conns}
	b.expect("first")
	return b
}

func (r *rig) dial() *websocket.Conn { return r.dialAs("") }

func (r *rig) dialAs(query string) *websocket.Conn {
	r.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r.served.Add(1)
	ws, _, err := websocket.Dial(ctx, r.server.URL+"?"+query, &websocket.DialOptions{HTTPClient: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}})
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { _ = ws.CloseNow() })
	return ws
}

func (b *browser) next() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, text, err := b.ws.Read(ctx)
	return string(text), err
}

func (b *browser) expect(want ...string) {
	b.t.Helper()
	for _, w := range want {
		if got, err := b.next(); err != nil || got != w {
			b.t.Fatalf("got %q, %v, want %q", got, err, w)
		}
	}
}

func events(group protocol.Group, payloads ...string) []protocol.Event {
	var out []protocol.Event
	for _, p := range payloads {
		out = append(out, protocol.Event{Group: group, Payload: []byte(p)})
	}
	return out
}

func groups(names ...protocol.Group) []protocol.Group { return names }
