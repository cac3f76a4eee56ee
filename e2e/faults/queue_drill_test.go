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

var shardQueue = amqpbus.ShardQueue(1, 0)

// TestDrillShardQueueDeleted deletes the queue of the shard under load: while it
// is read, and with a backlog that its workers have not seen. What was in it is
// lost, and its groups are told. While there is none, emits are unroutable.
func TestDrillShardQueueDeleted(t *testing.T) {
	tr := drill(t, pairs)
	tr.in.Broker.DeleteQueue(t, shardQueue)
	tr.mended("deleted while it is read", 15*time.Second)

	tr.signal(syscall.SIGSTOP)
	tr.flow(3 * time.Second)
	tr.in.Broker.DeleteQueue(t, shardQueue)
	tr.flow(time.Second)
	tr.signal(syscall.SIGCONT)
	tr.mended("deleted with a backlog", 15*time.Second)

	if r := tr.verdict(); r.LostWithGap == 0 {
		t.Errorf("nothing was lost: %v", r)
	}
	if !told(tr.failed, emitter.ErrUnroutable) {
		t.Errorf("without a queue an emit is unroutable, the errors are %v", tr.failed)
	}
}

// TestDrillShardQueuePurged purges it with a backlog that nobody has read: what
// the purge reports is lost, and nothing else.
func TestDrillShardQueuePurged(t *testing.T) {
	tr := drill(t, pairs)
	tr.killWorkers()
	tr.flow(3 * time.Second)
	var purged int
	out := tr.in.Broker.Ctl(t, "eval", fmt.Sprintf("{ok,Q}=rabbit_amqqueue:lookup(%s), rabbit_amqqueue:purge(Q).", tr.in.Broker.Queue(shardQueue)))
	if _, err := fmt.Sscanf(out, "{ok,%d}", &purged); err != nil {
		t.Fatalf("the purge says %q: %v", out, err)
	}
	tr.restartWorkers()
	tr.mended("purged", 15*time.Second)
	tr.in.AwaitFloodEnd(t)
	r := tr.report()
	t.Logf("purged: %d messages; lost without a gap: %d deliveries", purged, r.LostWithoutGap)
	if r.LostWithoutGap > purged*4 { // members of a group
		t.Errorf("more was lost than purged: %v", r)
	}
	r.LostWithoutGap = 0
	if !r.Clean() {
		t.Errorf("not clean: %v", r)
	}
	tr.resumedAfterMends()
}

// TestDrillShardQueueFull lets the shard's queue refuse everything for a minute
// while clients subscribe: they are told to try again, and can afterwards.
func TestDrillShardQueueFull(t *testing.T) {
	tr := drill(t, pairs)
	tr.in.Broker.Limit(t, `^belfry\.shard\.`)
	conn := dial(t, tr.in, 0)
	expectFrame(t, conn, `{"accept": true, "user": 7}`)
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		say(t, conn, load.Subscription([]string{"job_events-1000"}))
		if got := nextBut(t, conn, `{"gap":`, 10*time.Second); got != `{"error": "subscriptions are unavailable, try again"}` {
			t.Errorf("with a full queue the answer is %s", got)
		}
	}
	tr.in.Broker.Unlimit(t)
	tr.mended("the shard's queue has room", 15*time.Second)
	say(t, conn, load.Subscription([]string{"job_events-1000"}))
	if got := nextBut(t, conn, `{"gap":`, 10*time.Second); !strings.HasPrefix(got, `{"groups_current": ["job_events-1000"]`) {
		t.Errorf("with room in the queue the answer is %s", got)
	}
	tr.in.Emit(t, "job_events-1000", `{"after": 1}`)
	if got := nextBut(t, conn, `{"gap":`, 10*time.Second); got != `{"after": 1}` {
		t.Errorf("got %s", got)
	}
	tr.verdict()
	if !told(tr.failed, emitter.ErrRefused) {
		t.Errorf("a full queue refuses emits, the errors are %v", tr.failed)
	}
}

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
	}{{shardQueue, tr.in.Workers}, {tr.replyQueue("gateway1"), tr.in.Gateways[:1]}} {
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
