package connection

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/zap"

	"belfry/pkg/protocol"
	"belfry/services/gateway/internal/hub"
	"belfry/services/gateway/internal/wsconn"
)

const patience = 10 * time.Second

// wires is the relay of these tests: it answers as it is told, and counts who has which group.
type wires struct {
	mu        sync.Mutex
	refs      map[protocol.Group]int
	groups    map[protocol.ConnID][]protocol.Group
	gone      map[protocol.ConnID]bool
	reports   []protocol.LifeReport
	asked     chan []protocol.Group // each question, before it is answered
	authorize func(groups []protocol.Group) (protocol.Decision, error)
	join      func(ctx context.Context, groups []protocol.Group) error
}

func (w *wires) Connect(context.Context, protocol.ConnID, protocol.Token, string) (protocol.Decision, error) {
	return protocol.Decision{}, nil
}

func (w *wires) Authorize(_ context.Context, _ protocol.ConnID, _ json.RawMessage, groups []protocol.Group) (protocol.Decision, error) {
	w.asked <- groups
	return w.authorize(groups)
}

func (w *wires) Open(protocol.ConnID) {}

func (w *wires) Close(conn protocol.ConnID) {
	w.mu.Lock()
	groups := w.groups[conn]
	w.groups[conn] = nil
	w.gone[conn] = true
	w.mu.Unlock()
	w.count(groups, -1)
}

func (w *wires) Subscribe(ctx context.Context, conn protocol.ConnID, groups []protocol.Group, answer func()) error {
	w.mu.Lock()
	before := w.groups[conn]
	w.mu.Unlock()
	if joined := minus(groups, before); w.join != nil && len(joined) > 0 {
		if err := w.join(ctx, joined); err != nil {
			return err
		}
	}
	w.mu.Lock()
	gone := w.gone[conn]
	if !gone {
		w.groups[conn] = groups
	}
	w.mu.Unlock()
	if gone {
		return errors.New("the connection has ended")
	}
	w.count(groups, 1)
	answer()
	w.count(before, -1)
	return nil
}

func (w *wires) count(groups []protocol.Group, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, g := range groups {
		if w.refs[g] += n; w.refs[g] == 0 {
			delete(w.refs, g)
		}
	}
}

func (w *wires) Report(r protocol.LifeReport) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reports = append(w.reports, r)
}

// held is the groups to which there are references, sorted.
func (w *wires) held() []protocol.Group {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []protocol.Group
	for g := range w.refs {
		out = append(out, g)
	}
	slices.Sort(out)
	return out
}

// holds waits until there are references to exactly these groups: those of a
// left group are given back after the answer.
func (r *rig) holds(want ...protocol.Group) {
	r.Helper()
	for deadline := time.Now().Add(patience); ; runtime.Gosched() {
		got := r.wires.held()
		if slices.Equal(got, want) {
			return
		}
		if time.Now().After(deadline) {
			r.Fatalf("references to %v, want %v", got, want)
		}
	}
}

func (w *wires) kinds() (out []protocol.LifeKind) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.reports {
		out = append(out, r.Kind)
	}
	return out
}

// everything is allowed.
func everything(groups []protocol.Group) (protocol.Decision, error) {
	return protocol.Decision{Verdict: protocol.VerdictAccept, Allowed: groups}, nil
}

// rig is one connection with a real websocket.
type rig struct {
	*testing.T
	wires  *wires
	hub    *hub.Hub
	url    string
	begun  chan chan struct{} // of each connection, see served
	ws     *websocket.Conn
	served chan struct{} // closed when Serve has returned
}

// slot is closed when it is released.
type slot chan struct{}

func (s slot) Release() { close(s) }

func begin(t *testing.T, o Options, d protocol.Decision) *rig {
	t.Helper()
	r := &rig{T: t, wires: &wires{refs: map[protocol.Group]int{}, groups: map[protocol.ConnID][]protocol.Group{}, gone: map[protocol.ConnID]bool{}, asked: make(chan []protocol.Group, 100), authorize: everything}, begun: make(chan chan struct{}, 10)}
	r.hub = hub.New(hub.Options{Logger: zap.NewNop()})
	ctx, cancel := context.WithCancel(context.Background())
	running := make(chan struct{})
	go func() { r.hub.Run(ctx); close(running) }()
	t.Cleanup(func() { cancel(); <-running })
	factory := New(o, r.wires, r.hub, zap.NewNop())
	limits := wsconn.Options{}.WithDefaults()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		s := factory.Begin("203.0.113.1")
		ws, err := wsconn.Accept(w, request, "", &limits)
		if err != nil {
			t.Errorf("accept: %v", err)
			return
		}
		served := make(chan struct{})
		r.begun <- served
		s.Serve(ws, d, slot(served))
	}))
	r.url = server.URL
	t.Cleanup(server.Close)
	r.dial()
	return r
}

// another is a second connection beside r, with the same hub and wires.
func (r *rig) another() *rig {
	r.Helper()
	other := *r
	other.dial()
	return &other
}

func (r *rig) dial() {
	r.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, r.url, &websocket.DialOptions{HTTPClient: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}})
	if err != nil {
		r.Fatal(err)
	}
	r.ws, r.served = ws, <-r.begun
	r.Cleanup(func() {
		_ = ws.CloseNow()
		r.over()
	})
	r.expect(`{"accept": true, "user": 7}`)
}

var seven = protocol.Decision{Verdict: protocol.VerdictAccept, User: json.RawMessage("7"), Identity: json.RawMessage(`"identity"`)}

func (r *rig) send(messages ...string) {
	r.Helper()
	for _, m := range messages {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		err := r.ws.Write(ctx, websocket.MessageText, []byte(m))
		cancel()
		if err != nil {
			r.Fatal(err)
		}
	}
}

func (r *rig) next() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, text, err := r.ws.Read(ctx)
	return string(text), err
}

func (r *rig) expect(want ...string) {
	r.Helper()
	for _, w := range want {
		if got, err := r.next(); err != nil || got != w {
			r.Fatalf("got %q, %v, want %q", got, err, w)
		}
	}
}

// expectClose reads to the close frame.
func (r *rig) expectClose(code websocket.StatusCode) {
	r.Helper()
	for {
		if _, err := r.next(); err != nil {
			if got := websocket.CloseStatus(err); got != code {
				r.Fatalf("closed with %d (%v), want %d", got, err, code)
			}
			return
		}
	}
}

// over waits for the end of the connection.
func (r *rig) over() {
	r.Helper()
	select {
	case <-r.served:
	case <-time.After(patience):
		r.Fatal("the connection did not end")
	}
}
