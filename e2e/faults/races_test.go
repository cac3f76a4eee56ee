package faults

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"belfry/e2e/harness"
	"belfry/e2e/load"
	"belfry/e2e/wsclient"
)

// TestEmitAfterReply publishes, 2,000 times (Full: 10,000), right after a subscribe
// reply, and some more where groups are spread over shards and workers. Every one of the
// events must come. Groups are left again, so that many of them are absent,
// lingering or leaving when they are joined.
func TestEmitAfterReply(t *testing.T) {
	needsBroker(t)
	t.Parallel()
	one, four := harness.Shape{Gateways: 2, Workers: 1, Shards: 1}, harness.Shape{Gateways: 2, Workers: 2, Shards: 4}
	rounds := []int{200, 100}
	if harness.Full() {
		rounds = []int{1000, 250}
	}
	for i, in := range withoutFlood(t, one, four) {
		t.Run(fmt.Sprintf("%d shards", in.Shards()), func(t *testing.T) { emitAfterReply(t, in, rounds[i]) })
	}
}

// withoutFlood starts installations without limits and waits until each event takes
// its own route, and no longer every one.
func withoutFlood(t *testing.T, shapes ...harness.Shape) []*harness.Installation {
	t.Helper()
	var out []*harness.Installation
	for _, shape := range shapes {
		shape.GatewayEnv = harness.Unlimited()
		out = append(out, harness.Start(t, shape))
	}
	for _, in := range out {
		in.AwaitLeaders(t)
	}
	return out
}

// emitAfterReply does so with ten clients, rounds times each.
func emitAfterReply(t *testing.T, in *harness.Installation, rounds int) {
	const clients, pool = 10, 400
	emitter := in.LoadEmitter(t)
	s := seed(t)
	results := make(chan error, clients)
	for i := range clients {
		rng := rand.New(rand.NewPCG(s, uint64(i)))
		conn := dial(t, in, i)
		expectFrame(t, conn, `{"accept": true, "user": 7}`)
		go func() {
			for round := range rounds {
				if err := afterReply(t.Context(), conn, emitter, fmt.Sprintf("job_events-%d", 1+i*pool+rng.IntN(pool)), round); err != nil {
					results <- fmt.Errorf("client %d, round %d: %w", i, round, err)
					return
				}
			}
			results <- nil
		}()
	}
	for range clients {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
}

func afterReply(ctx context.Context, conn *wsclient.Conn, e load.Emitter, group string, round int) error {
	if err := conn.Text(load.Subscription([]string{group})); err != nil {
		return err
	}
	reply, err := conn.Next(10 * time.Second)
	if err != nil {
		return fmt.Errorf("waiting for the reply: %w", err)
	}
	if len(reply) < 18 || reply[:17] != `{"groups_current"` {
		return fmt.Errorf("the reply is %s", reply)
	}
	want := fmt.Sprintf(`{"group_name": "job_events", "round": %d}`, round)
	emitted := make(chan error, 1)
	go func() { emitted <- e.Emit(ctx, group, []byte(want)) }()
	got, err := conn.Next(10 * time.Second)
	if emitErr := <-emitted; emitErr != nil {
		return fmt.Errorf("emit: %w", emitErr)
	}
	if err != nil {
		return fmt.Errorf("the event did not come: %w", err)
	}
	if got != want {
		return errors.New("got " + got + ", want " + want)
	}
	return nil
}

// TestGroupsReplacedUnderLoad changes the sets of all clients ten times a second
// while events come. One group stays in each set: no event of it is missed or
// doubled, and none of the others comes early or late.
func TestGroupsReplacedUnderLoad(t *testing.T) {
	needsBroker(t)
	t.Parallel()
	for _, in := range withoutFlood(t, pairs, harness.Shape{Gateways: 2, Workers: 2, Shards: 4}) {
		t.Run(fmt.Sprintf("%d shards", in.Shards()), func(t *testing.T) {
			tr := restless(t, in, 100*time.Millisecond)
			tr.flow(8 * time.Second)
			r := tr.clean()
			if r.LostWithGap+r.LostAtClose+r.Unavailable != 0 {
				t.Errorf("nothing failed, but events were lost or changes not made: %v", r)
			}
		})
	}
}

// restless is a load whose clients change their sets of groups, but for one, all
// the time.
func restless(t *testing.T, in *harness.Installation, every time.Duration) *traffic {
	t.Helper()
	s := seed(t)
	tr := &traffic{t: t, groups: groups()}
	for i := range clientCount {
		kept := tr.groups[i%groupCount]
		c := tr.client(in, i, s)
		c.Groups, c.SwapEvery = []string{kept}, every
		c.Swap = func(rng *rand.Rand) []string { return chosen(rng, tr.groups, kept) }
	}
	tr.run(in.LoadEmitter(t), s)
	return tr
}

// chosen is kept and a random half of the rest.
func chosen(rng *rand.Rand, groups []string, kept string) []string {
	set := []string{kept}
	for _, g := range groups {
		if g != kept && rng.IntN(2) == 0 {
			set = append(set, g)
		}
	}
	return set
}
