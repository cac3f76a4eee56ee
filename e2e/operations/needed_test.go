package operations

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
)

// eachIsNeeded takes each word out of each pattern, each in a
// virtual host of its own: what the role does on an empty broker fails then, and
// does not with all of them.
func (n *node) eachIsNeeded(t *testing.T) {
	_, of := shipped(t)
	type trial struct {
		permission
		without string // empty: nothing
	}
	var trials []trial
	for _, user := range []string{gatewayUser, workerUser} {
		trials = append(trials, trial{permission: of[user]}, trial{of[user].with("configure", "^$"), "configure"})
		for _, kind := range []string{"write", "read"} {
			words := strings.Split(strings.TrimSuffix(strings.TrimPrefix(of[user].pattern(kind), "^("), ")$"), "|")
			if len(words) < 6 {
				t.Fatalf("%s %s is not a list of words: %v", user, kind, words)
			}
			for i, word := range words {
				rest := slices.Delete(slices.Clone(words), i, i+1)
				trials = append(trials, trial{of[user].with(kind, "^("+strings.Join(rest, "|")+")$"), kind + " " + word})
			}
		}
	}
	var all []permission
	for i := range trials {
		trials[i].Vhost = fmt.Sprint("trial", i)
		all = append(all, trials[i].permission)
	}
	n.define(t, all...)
	for _, tr := range trials {
		err := n.everything(t, tr.User, tr.Vhost)
		switch {
		case tr.without == "" && err != nil:
			t.Errorf("%s with all of its permissions: %v", tr.User, err)
		case tr.without != "" && err == nil:
			t.Errorf("%s does not need %s", tr.User, tr.without)
		case err != nil && !refused(err):
			t.Errorf("%s without %s: %v", tr.User, tr.without, err)
		}
	}
}

// everything does on an empty broker, as a user, what its role does.
func (n *node) everything(t *testing.T, user, vhost string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	bus := open(t, n.url(user, vhost))
	defer func() { _ = bus.Close(ctx) }()
	id := protocol.WorkerID("trial." + protocol.NewIncarnation())
	for _, topology := range []amqpbus.Topology{amqpbus.SharedTopology(amqpbus.Layout{Shards: shards}), amqpbus.ReplyTopology(amqpbus.Layout{Shards: shards}, id)} {
		if err := bus.Declare(ctx, topology); err != nil {
			return err
		}
	}
	queues := []string{amqpbus.ReplyQueue(string(id))}
	exchanges := []string{amqpbus.ExchangeQuestions, amqpbus.ExchangeWorkers, amqpbus.ExchangeReply}
	if user == workerUser {
		queues = append(queues, amqpbus.QueueQuestions, amqpbus.LogQueue(shards, 0), amqpbus.LeadQueue(shards, 0), amqpbus.QueueDisconnect)
		exchanges = append(exchanges, "", amqpbus.EmitLogs(shards), amqpbus.ExchangeReplyAll, amqpbus.ExchangeEvents)
	}
	for _, queue := range queues {
		con, err := bus.OpenConsumer(ctx, amqpbus.ConsumerOptions{Queue: queue, Prefetch: 1})
		if err != nil {
			return fmt.Errorf("consume %s: %w", queue, err)
		}
		_ = con.Close()
	}
	probe := n.probe(t, user, vhost)
	for _, exchange := range exchanges {
		err := probe.Publish(ctx, amqpbus.Message{Exchange: exchange, Key: "nobody.takes-this", Expiration: time.Second, Body: []byte("{}")})
		if err != nil && !errors.Is(err, amqpbus.ErrUnroutable) {
			return fmt.Errorf("publish to %q: %w", exchange, err)
		}
	}
	return nil
}
