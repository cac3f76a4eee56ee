package load

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"belfry/e2e/wsclient"
)

// Client is a browser as Belfry wants one: it subscribes, reads, and when its
// connection ends it comes back with jitter, to the next address. Each
// connection has a Record of its own.
type Client struct {
	Name    string
	Addrs   []string
	TLS     *tls.Config // nil: without TLS
	Token   string
	Groups  []string
	Allowed func(group string) bool
	// Swap, when set, gives the next set of groups each SwapEvery.
	Swap      func(rng *rand.Rand) []string
	SwapEvery time.Duration
	Seed      uint64

	mu      sync.Mutex
	records []*Record
	ended   int
	ready   chan struct{}
	refused int

	cancel context.CancelFunc
	done   chan struct{}
}

// Start connects and returns at once; Ready tells when the first reply is there.
func (c *Client) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel, c.done, c.ready = cancel, make(chan struct{}), make(chan struct{})
	go c.run(ctx)
}

// Ready is closed when the client first had a subscribe reply.
func (c *Client) Ready() <-chan struct{} { return c.ready }

// Stop leaves in good order and returns the records of all connections.
func (c *Client) Stop() []*Record {
	c.cancel()
	<-c.done
	return c.records
}

// Refused counts handshakes that were not accepted. Call it after Stop.
func (c *Client) Refused() int { return c.refused }

func (c *Client) run(ctx context.Context) {
	defer close(c.done)
	rng := rand.New(rand.NewPCG(c.Seed, 7))
	for attempt := 0; ctx.Err() == nil; attempt++ {
		addr := c.Addrs[attempt%len(c.Addrs)]
		if !c.connection(ctx, addr, rng) {
			c.refused++
		}
		pause := time.NewTimer(time.Duration(50+rng.IntN(200)) * time.Millisecond)
		select {
		case <-ctx.Done():
		case <-pause.C:
		}
		pause.Stop()
	}
}

// connection lives through one connection; false: it never had one.
func (c *Client) connection(ctx context.Context, addr string, rng *rand.Rand) bool {
	conn, _, err := wsclient.Dial(ctx, wsclient.Request{Addr: addr, TLS: c.TLS, Token: c.Token})
	if err != nil || conn == nil {
		return false
	}
	defer conn.Drop()
	record := &Record{Client: c.Name, Name: fmt.Sprintf("%s at %s (%d)", c.Name, addr, len(c.records)+1), Allowed: c.Allowed}
	c.mu.Lock()
	c.records = append(c.records, record)
	c.mu.Unlock()
	c.read(ctx, conn, record, rng)
	record.Closed = time.Now()
	c.mu.Lock()
	c.ended++
	c.mu.Unlock()
	return true
}

func (c *Client) read(ctx context.Context, conn *wsclient.Conn, record *Record, rng *rand.Rand) {
	asked, again := false, time.Time{} // when to send the next set; zero: never
	for {
		switch {
		case ctx.Err() != nil && record.Left.IsZero():
			record.Left = time.Now()
			if c.drain(conn, record) {
				return
			}
		case !asked && !again.IsZero() && time.Now().After(again):
			asked = true
			c.subscribe(conn, record, c.next(rng))
		}
		text, err := conn.Next(50 * time.Millisecond)
		if errors.Is(err, wsclient.ErrTimeout) {
			continue
		}
		if err != nil {
			if closed, ok := errors.AsType[*wsclient.CloseError](err); ok {
				record.Code = closed.Code
			}
			return
		}
		switch record.Saw(text) {
		case "accept":
			asked = true
			c.subscribe(conn, record, c.Groups)
		case "groups":
			asked, again = false, time.Time{}
			if c.Swap != nil {
				again = time.Now().Add(c.SwapEvery)
			}
			c.becomeReady()
		case "unavailable":
			asked, again = false, time.Now().Add(time.Second)
		}
	}
}

// next is the set to ask for.
func (c *Client) next(rng *rand.Rand) []string {
	if c.Swap == nil {
		return c.Groups
	}
	return c.Swap(rng)
}

// drain reads what was on its way when the client decided to leave: what is
// owed was confirmed before that.
func (c *Client) drain(conn *wsclient.Conn, record *Record) bool {
	until := time.Now().Add(1500 * time.Millisecond)
	for time.Now().Before(until) {
		text, err := conn.Next(time.Until(until))
		if err != nil {
			break
		}
		record.Saw(text)
	}
	_ = conn.Leave(1000, time.Second)
	return true
}

func (c *Client) becomeReady() {
	select {
	case <-c.ready:
	default:
		close(c.ready)
	}
}

func (c *Client) subscribe(conn *wsclient.Conn, record *Record, groups []string) {
	record.Changing(groups)
	_ = conn.Text(Subscription(groups)) // a failure shows when reading
}

// Subscription is the client message that asks for the groups.
func Subscription(groups []string) string {
	dictionary := map[string][]string{}
	for _, g := range groups {
		name, item, _ := strings.Cut(g, "-")
		dictionary[name] = append(dictionary[name], item)
	}
	b, err := json.Marshal(map[string]any{"groups": dictionary})
	if err != nil {
		panic(fmt.Sprintf("encode a subscription: %v", err)) // strings only
	}
	return string(b)
}

// Connections says how many connections the client has had. It may be called
// while the client runs.
func (c *Client) Connections() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.records)
}

// Ended says how many of them have ended. It may be called while the client runs.
func (c *Client) Ended() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended
}
