//go:build drills

package abuse

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"belfry/e2e/harness"
	"belfry/e2e/wsclient"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

const (
	alone    = 5 * time.Second
	beside   = 15 * time.Second
	patience = 20 * time.Second // for one answer
	pause    = 25 * time.Millisecond
)

// Where clients come from. The gateway takes 127.0.0.1 for a proxy.
const (
	homeOfHonest  = "127.0.0.2"
	homeOfAttacks = "127.0.0.3"
)

// figures are how long something took, and how often it was refused.
type figures struct {
	took    []time.Duration
	refused map[string]int
}

func (f *figures) at(share float64) time.Duration {
	if len(f.took) == 0 {
		return 0
	}
	slices.Sort(f.took)
	return f.took[int(share*float64(len(f.took)-1))]
}

func (f *figures) failures() int {
	n := 0
	for _, each := range f.refused {
		n += each
	}
	return n
}

func (f *figures) String() string {
	return fmt.Sprintf("%.1f | %.1f | %d of %d", float64(f.at(0.5).Microseconds())/1e3, float64(f.at(0.99).Microseconds())/1e3, f.failures(), len(f.took)+f.failures())
}

// repeat does something again and again, with pauses, and takes the time.
func repeat(ctx context.Context, lasting time.Duration, do func() error) *figures {
	f := &figures{refused: map[string]int{}}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for end := time.Now().Add(lasting); time.Now().Before(end) && ctx.Err() == nil; {
		begin := time.Now()
		if err := do(); err != nil {
			f.refused[err.Error()]++
		} else {
			f.took = append(f.took, time.Since(begin))
		}
		timer.Reset(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return f
}

// deed is something that the honest user does.
type deed struct {
	name string
	do   func() error
}

// judge measures the honest user's deeds alone and beside the attack, prints a row
// for each, and fails where one was refused. The attack gets a context that ends with
// it, and returns when it is under way.
func judge(t *testing.T, what string, deeds []deed, attack func(ctx context.Context, attackers *sync.WaitGroup)) {
	t.Helper()
	before := make([]*figures, len(deeds))
	for i, d := range deeds {
		before[i] = repeat(t.Context(), alone, d.do)
	}
	ctx, stop := context.WithCancel(t.Context())
	var attackers sync.WaitGroup
	defer attackers.Wait()
	defer stop()
	attack(ctx, &attackers)
	for i, d := range deeds {
		f := repeat(t.Context(), beside/time.Duration(len(deeds)), d.do)
		row(what, d.name, before[i], f)
		if n := f.failures(); n > 0 {
			t.Errorf("%s: %d of %d were refused: %v", d.name, n, n+len(f.took), f.refused)
		}
	}
}

// label tells the rows of two versions apart.
func label() string {
	if name := os.Getenv("BELFRY_ABUSE_LABEL"); name != "" {
		return name
	}
	return "now"
}

// row prints a line of the table: p50 and p99 in milliseconds, and refusals.
func row(what, deed string, alone, beside *figures) {
	fmt.Printf("| %s | %s | %s | %v | %v |\n", what, deed, label(), alone, beside)
}

// note prints a figure beside the table.
func note(what, format string, args ...any) {
	fmt.Printf("| %s | %s | %s |\n", what, fmt.Sprintf(format, args...), label())
}

// client is a connection that was accepted.
type client struct {
	*wsclient.Conn
	sent int
}

func dial(ctx context.Context, in *harness.Installation, from, token string) (*client, error) {
	r := in.Request(0, wsclient.Request{Token: token, From: from, Timeout: patience})
	conn, answer, err := wsclient.Dial(ctx, r)
	if err != nil {
		return nil, errors.New("the handshake broke off")
	}
	if conn == nil {
		return nil, fmt.Errorf("HTTP %d", answer.Status)
	}
	first, err := conn.Next(patience)
	if err != nil || !strings.HasPrefix(first, `{"accept": true`) {
		conn.Drop()
		return nil, fmt.Errorf("not accepted: %.60s", first)
	}
	return &client{Conn: conn}, nil
}

// dialMany opens connections of one user.
func dialMany(t *testing.T, in *harness.Installation, count int, from, token string) []*client {
	t.Helper()
	var all []*client
	for range count {
		c, err := dial(t.Context(), in, from, token)
		if err != nil {
			t.Fatalf("open the attacker's connection %d: %v", len(all), err)
		}
		t.Cleanup(c.Drop)
		all = append(all, c)
	}
	return all
}

// subscribe replaces the connection's groups by so many that nobody had before, and
// waits for the answer.
func (c *client) subscribe(first, count int) error {
	ids := make([]string, count)
	for i := range ids {
		ids[i] = fmt.Sprint(first + c.sent*count + i)
	}
	c.sent++
	if err := c.Text(`{"groups": {"job_events": [` + strings.Join(ids, ",") + `]}}`); err != nil {
		return errors.New("the connection is gone")
	}
	answer, err := c.Next(patience)
	switch {
	case err != nil:
		return errors.New("no answer, or closed")
	case !strings.HasPrefix(answer, `{"groups_current"`):
		return fmt.Errorf("%.80s", answer)
	}
	return nil
}

// handshakes and subscribing are what honest users do.
func handshakes(t *testing.T, in *harness.Installation, token func() string) deed {
	return deed{"handshake", func() error {
		c, err := dial(t.Context(), in, homeOfHonest, token())
		if err == nil {
			c.Drop()
		}
		return err
	}}
}

func always(token string) func() string { return func() string { return token } }

// subscribing takes turns between connections, so that each stays below
// BELFRY_MESSAGE_RATE.
func subscribing(t *testing.T, in *harness.Installation) deed {
	t.Helper()
	var conns []*client
	for range 6 {
		c, err := dial(t.Context(), in, homeOfHonest, harness.TokenNamed)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Drop)
		conns = append(conns, c)
	}
	turn := 0
	return deed{"subscribe", func() error {
		turn++
		return conns[turn%len(conns)].subscribe(1+turn*10, 1)
	}}
}

// within keeps a rate: a client's messages stay below BELFRY_MESSAGE_RATE.
func within(ctx context.Context, begin time.Time) {
	timer := time.NewTimer(max(0, 110*time.Millisecond-time.Since(begin)))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
