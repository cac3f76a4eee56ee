package logline

import (
	"context"
	"strconv"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
)

// emit publishes n events, the groups in turn, one after the other: each is sent again
// with its id until the broker has confirmed it.
func (l *line) emit(n int, groups ...protocol.Group) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var pub amqpbus.Publisher
	defer func() {
		if pub != nil {
			_ = pub.Close()
		}
	}()
	for i := range n {
		group := groups[i%len(groups)]
		l.emitted[group]++
		m := amqpbus.Message{
			Exchange: amqpbus.ExchangeEmit, Key: string(group), ID: "e" + strconv.FormatUint(ids.Add(1), 10),
			Persistent: true, Mandatory: true, Body: []byte(strconv.Itoa(l.emitted[group])),
		}
		for {
			err := l.publish(ctx, &pub, m)
			if err == nil {
				break
			}
			if ctx.Err() != nil {
				l.t.Fatalf("event %d was not confirmed within %s: %v", i, patience, err)
			}
			again := time.NewTimer(50 * time.Millisecond)
			<-again.C
		}
	}
}

// publish sends one message and waits for its verdict. A publisher that has ended is
// replaced.
func (l *line) publish(ctx context.Context, pub *amqpbus.Publisher, m amqpbus.Message) error {
	if *pub == nil {
		p, err := l.emitter.OpenPublisher(ctx, 10)
		if err != nil {
			return err
		}
		*pub = p
	}
	verdict := make(chan error, 1)
	err := (*pub).Publish(ctx, m, func(err error) { verdict <- err })
	if err == nil {
		err = <-verdict
	}
	if err != nil {
		select {
		case <-(*pub).Done():
			*pub = nil
		default:
		}
	}
	return err
}

// settled waits until a member has everything that was emitted of a group.
func (l *line) settled(g *gateway, m *member, groups ...protocol.Group) {
	l.t.Helper()
	for _, group := range groups {
		want := l.emitted[group]
		l.until("a member has event "+strconv.Itoa(want)+" of "+string(group), func() bool { return g.hub.has(m, group) == want })
	}
}
