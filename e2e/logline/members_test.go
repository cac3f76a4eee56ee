package logline

import (
	"fmt"
	"maps"
	"strconv"
	"sync"
	"testing"
	"time"

	"belfry/pkg/amqpbus/trust"
	"belfry/pkg/protocol"
)

// members is a gateway's hub without sockets. It implements following.Sink.
type members struct {
	t testing.TB

	mu     sync.Mutex
	all    map[protocol.ConnID]*member
	gaps   int
	closed int
}

// member is a connection. Every group has its own numbers, from 1 on.
type member struct {
	conn protocol.ConnID

	// Guarded by the lock of members.
	last  map[protocol.Group]int // of the groups that it is in: the last number that it has, or had no claim to
	count int
	wrong []string
}

func newMembers(t testing.TB) *members {
	return &members{t: t, all: map[protocol.ConnID]*member{}}
}

func (h *members) add(conn protocol.ConnID) *member {
	h.mu.Lock()
	defer h.mu.Unlock()
	m := &member{conn: conn, last: map[protocol.Group]int{}}
	h.all[conn] = m
	return m
}

// set makes the member one of exactly these groups. What is confirmed from now on is owed
// to it.
func (h *members) set(m *member, groups []protocol.Group, emitted map[protocol.Group]int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	before := maps.Clone(m.last)
	clear(m.last)
	for _, g := range groups {
		if last, was := before[g]; was {
			m.last[g] = last
		} else {
			m.last[g] = -1
		}
	}
}

func (h *members) Deliver(events []protocol.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range events {
		number, err := strconv.Atoi(string(e.Payload))
		if err != nil {
			panic(err)
		}
		for _, m := range h.all {
			last, in := m.last[e.Group]
			if !in {
				continue
			}
			if last >= 0 && number != last+1 {
				m.wrong = append(m.wrong, fmt.Sprintf("%s: %d behind %d", e.Group, number, last))
			}
			m.last[e.Group] = number
			m.count++
		}
	}
}

func (h *members) GapOf(protocol.ConnID, []protocol.Group) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.gaps++
}

func (h *members) CloseAll(protocol.CloseCode, time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed++
}

// has reports the last number that a member got of a group.
func (h *members) has(m *member, g protocol.Group) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return m.last[g]
}

// judge tells what went wrong.
func (h *members) judge() {
	h.t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range h.all {
		for i, wrong := range m.wrong {
			if i == 5 {
				h.t.Errorf("connection %d: and %d more", m.conn, len(m.wrong)-i)
				break
			}
			h.t.Errorf("connection %d got %s", m.conn, wrong)
		}
	}
	if h.gaps != 0 || h.closed != 0 {
		h.t.Errorf("%d gaps were told, all connections were closed %d times", h.gaps, h.closed)
	}
}

// anybody believes the users of this package's tests.
func anybody() *trust.Users {
	return trust.New("", []string{"guest", "emitter", "worker1", "worker2", "worker3", "gateway1", "gateway2"}, nil)
}
