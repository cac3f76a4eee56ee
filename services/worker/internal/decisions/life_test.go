package decisions

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/membus"
	"belfry/pkg/protocol"
)

// TestLifeReportsSurviveCuts: the links of two workers are cut while a gateway reports
// connections. A consumer of belfry.events that drops repeated ids sees each report once,
// in order.
func TestLifeReportsSurviveCuts(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			play(t, func(t *testing.T, r *rig) { reportUnderCuts(t, r, rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

func reportUnderCuts(t *testing.T, r *rig, rng *rand.Rand) {
	const queue, batches, conns = "some service", 12, 4
	r.must(r.gateway.Declare(t.Context(), amqpbus.Topology{
		Queues:   []amqpbus.Queue{{Name: queue}},
		Bindings: []amqpbus.Binding{{Exchange: amqpbus.ExchangeEvents, Queue: queue, Key: "connection.*"}},
	}))
	workers := []*worker{r.start(Options{}), r.start(Options{})}
	drop := make(chan struct{}, 1) // holds an item: the next report or note is not confirmed
	r.broker.SetPublishHook(func(user string, m amqpbus.Message) membus.Fate {
		if user != "worker" {
			return membus.FatePass
		}
		select {
		case <-drop:
			return membus.FateLoseConfirm
		default:
			return membus.FatePass
		}
	})
	var want []string
	for n := range uint64(batches) {
		b := protocol.Life{Gateway: gatewayID, Batch: n + 1}
		for conn := range protocol.ConnID(conns) {
			for _, kind := range []protocol.LifeKind{protocol.LifeOpened, protocol.LifeSubscribed, protocol.LifeClosed} {
				id := fmt.Sprintf("%d.%d.%s", n+1, conn, kind)
				want = append(want, id)
				b.Reports = append(b.Reports, protocol.LifeReport{ID: id, Kind: kind, Gateway: gatewayID, Conn: conn, User: json.RawMessage("7")})
			}
		}
		if rng.IntN(2) == 0 {
			drop <- struct{}{}
		}
		for tries := 0; !r.report(b, workers, rng); tries++ {
			if tries == 20 {
				t.Fatalf("batch %d was never noted", b.Batch)
			}
		}
		select {
		case <-drop:
		default:
		}
	}
	var read []string
	repeated := 0
	for _, d := range r.drain(queue) {
		if slices.Contains(read, d.ID) {
			repeated++
			continue
		}
		read = append(read, d.ID)
		if report, err := protocol.Decode[protocol.LifeReport](d.Body); err != nil || d.Key != "connection."+string(report.Kind) {
			t.Errorf("report %s with key %s: %+v, %v", d.ID, d.Key, report, err)
		}
	}
	if !slices.Equal(read, want) {
		t.Errorf("read %v, want %v", read, want)
	}
	t.Logf("%d repeated", repeated)
}

// report sends the batch, while links are cut, and reports whether it was noted before a
// gateway would send it again.
func (r *rig) report(b protocol.Life, workers []*worker, rng *rand.Rand) (noted bool) {
	r.t.Helper()
	r.ask(protocol.TypeLife, protocol.Encode(b))
	if rng.IntN(2) == 0 {
		pass(0)
	}
	if rng.IntN(2) == 0 {
		r.broker.CutBus(workers[rng.IntN(len(workers))].bus)
	}
	pass(6 * time.Second)
	for _, d := range r.drain(amqpbus.ReplyQueue(string(gatewayID))) {
		n, err := protocol.Decode[protocol.Noted](d.Body)
		r.must(err)
		noted = noted || n.Batch == b.Batch
	}
	return noted
}
