//go:build drills

package faults

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"belfry/e2e/harness"
	"belfry/e2e/load"
	"belfry/pkg/amqpbus"
	"belfry/pkg/emitter"
)

// TestDrillReplyQueueDeleted deletes the reply queue of each process.
func TestDrillReplyQueueDeleted(t *testing.T) {
	tr := drill(t, pairs)
	for _, id := range tr.in.Broker.Identities(t) {
		tr.in.Broker.DeleteQueue(t, amqpbus.ReplyQueue(id))
		tr.mended("the reply queue of "+id+" deleted", 15*time.Second)
	}
	tr.verdict()
}

// TestDrillReplyQueueReplaced deletes a gateway's reply queue and declares it
// again in one breath. RabbitMQ may move the consumer to the new queue, which has
// no bindings, and say nothing: the gateway has to find out by itself.
func TestDrillReplyQueueReplaced(t *testing.T) {
	tr := drill(t, pairs)
	name := tr.in.Broker.Queue(tr.replyQueue("gateway1"))
	at := time.Now()
	tr.in.Broker.Ctl(t, "eval", fmt.Sprintf(`{ok,Q}=rabbit_amqqueue:lookup(%s), rabbit_amqqueue:delete(Q,false,false,<<"drill">>),
		rabbit_amqqueue:declare(%s,true,false,amqqueue:get_arguments(Q),none,<<"drill">>).`, name, name))
	tr.flow(45 * time.Second)
	tr.mends = append(tr.mends, mend{"the reply queue replaced", at, 40 * time.Second})
	tr.verdict()
}

// replyQueue is the reply queue of the process of a name.
func (tr *trial) replyQueue(name string) string {
	tr.t.Helper()
	for _, id := range tr.in.Broker.Identities(tr.t) {
		if strings.HasPrefix(id, name+".") {
			return amqpbus.ReplyQueue(id)
		}
	}
	tr.t.Fatalf("%s has no reply queue", name)
	return ""
}

// TestDrillReplyQueueFull lets a gateway's reply queue refuse everything, for
// less and for more than the time in which its clients may be without a route.
func TestDrillReplyQueueFull(t *testing.T) {
	for _, full := range []time.Duration{10 * time.Second, time.Minute} {
		t.Run(full.String(), func(t *testing.T) {
			tr := drill(t, pairs)
			tr.in.Broker.Limit(t, `^belfry\.reply\.gateway1\.`)
			tr.flow(full)
			tr.in.Broker.Unlimit(t)
			tr.mended("the reply queue has room", 15*time.Second)
			if r := tr.verdict(); r.LostWithGap+r.LostAtClose == 0 {
				t.Errorf("nothing was lost: %v", r)
			}
		})
	}
}

// TestDrillOtherArguments puts queues with other arguments in the place of the
// shard's and of a gateway's: the logs tell it, seldom, and when they are gone
// everything is well again.
func TestDrillOtherArguments(t *testing.T) {
	tr := drill(t, pairs)
	for _, c := range []struct {
		queue string
		who   []*harness.Process
	}{{amqpbus.LogQueue(1, 0), tr.in.Workers}, {tr.replyQueue("gateway1"), tr.in.Gateways[:1]}} {
		name := tr.in.Broker.Queue(c.queue)
		logs := logsOf(c.who)
		// Between the two, every consumer is told that its queue has gone.
		tr.in.Broker.Ctl(t, "eval", fmt.Sprintf(`{ok,Q}=rabbit_amqqueue:lookup(%s), rabbit_amqqueue:delete(Q,false,false,<<"drill">>), timer:sleep(50),
			rabbit_amqqueue:declare(%s,true,false,[{<<"x-max-length">>,long,5}],none,<<"drill">>).`, name, name))
		tr.flow(20 * time.Second)
		logs.tell(t, "exists with other arguments", 20*time.Second)
		tr.in.Broker.DeleteQueue(t, c.queue)
		tr.mended(c.queue+" is right again", 15*time.Second)
	}
	tr.verdict()
}

// told reports that some emits ended with an error.
func told(failed map[string]int, err error) bool {
	for text := range failed {
		if strings.Contains(text, err.Error()) {
			return true
		}
	}
	return false
}

func (tr *trial) signal(s syscall.Signal) {
	for _, w := range tr.in.Workers {
		w.Signal(s)
	}
}

func (tr *trial) killWorkers() {
	for _, w := range tr.in.Workers {
		w.Kill9()
	}
}

func (tr *trial) restartWorkers() {
	for _, w := range tr.in.Workers {
		w.Restart(tr.t)
	}
}
