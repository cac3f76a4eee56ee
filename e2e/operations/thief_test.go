package operations

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"belfry/e2e/harness"
	"belfry/pkg/amqpbus"
)

// printed are the permissions that `belfry permissions` prints, for a virtual host.
func printed(t *testing.T, vhost string) []permission {
	t.Helper()
	out, err := exec.Command(harness.Binary(t, "belfry"), "permissions", "--definitions", "--vhost", vhost).Output()
	if err != nil {
		t.Fatal(err)
	}
	var d definitions
	if err := json.Unmarshal(out, &d); err != nil || len(d.Permissions) != 3 {
		t.Fatalf("it prints %s, %v", out, err)
	}
	return d.Permissions
}

// thief has the password of one of the three users, and any AMQP client.
type thief struct {
	*testing.T
	user string
	conn *amqp.Connection
}

func (n *node) thief(t *testing.T, user string) *thief {
	t.Helper()
	conn, err := amqp.Dial(n.url(user, n.vhost))
	must(t, err)
	t.Cleanup(func() { _ = conn.CloseDeadline(time.Now().Add(5 * time.Second)) })
	return &thief{T: t, user: user, conn: conn}
}

// try does something on a channel of its own, with confirms on. Its error is the
// broker's, also that of a publish.
func (f *thief) try(do func(*amqp.Channel) error) error {
	f.Helper()
	ch, err := f.conn.Channel()
	must(f.T, err)
	must(f.T, ch.Confirm(false))
	closed := ch.NotifyClose(make(chan *amqp.Error, 1))
	err = do(ch)
	_ = ch.Close()
	select {
	case why := <-closed:
		if why != nil {
			return why
		}
	default:
	}
	return err
}

// publish is an attempt: one message, with the thief's own name on it unless another
// is given.
func (f *thief) publish(exchange, key string, p amqp.Publishing) func(*amqp.Channel) error {
	return func(ch *amqp.Channel) error {
		ctx, cancel := context.WithTimeout(f.Context(), patience)
		defer cancel()
		confirm, err := ch.PublishWithDeferredConfirmWithContext(ctx, exchange, key, false, false, p)
		if err != nil {
			return err
		}
		taken, err := confirm.WaitContext(ctx)
		if err == nil && !taken {
			err = fmt.Errorf("the broker did not take it")
		}
		return err
	}
}

// around is an attempt: the queue is bound to an exchange, and the message comes
// through that.
func (f *thief) around(exchange, kind, queue string, p amqp.Publishing) func(*amqp.Channel) error {
	return func(ch *amqp.Channel) error {
		if err := ch.ExchangeDeclare(exchange, kind, true, false, false, false, nil); err != nil {
			return err
		}
		if err := ch.QueueBind(queue, "forged", exchange, false, nil); err != nil {
			return err
		}
		if err := f.publish(exchange, "forged", p)(ch); err != nil {
			return err
		}
		return ch.QueueUnbind(queue, "forged", exchange, nil)
	}
}

// dying is an attempt: the message dies at once in a queue of the thief's, and goes
// from there to an exchange.
func (f *thief) dying(exchange, key string, p amqp.Publishing) func(*amqp.Channel) error {
	const mine = "belfry.reply.mine.dies"
	return func(ch *amqp.Channel) error {
		_, err := ch.QueueDeclare(mine, true, false, false, false, amqp.Table{
			"x-message-ttl": int32(0), "x-dead-letter-exchange": exchange, "x-dead-letter-routing-key": key,
		})
		if err != nil {
			return err
		}
		if err := f.publish("", mine, p)(ch); err != nil {
			return err
		}
		_, err = ch.QueueDelete(mine, false, false, false)
		return err
	}
}

// parkedReason takes the next message out of belfry.dead and says why it is there.
func (n *node) parkedReason(t *testing.T) string {
	t.Helper()
	ch := channel(t, n.Broker)
	defer func() { _ = ch.Close() }()
	var reason string
	until(t, "something is parked", func() bool {
		d, there, err := ch.Get(amqpbus.QueueDead, true)
		must(t, err)
		reason, _ = d.Headers["reason"].(string)
		return there
	})
	return reason
}

// replyQueue is that of the process whose name begins so.
func (n *node) replyQueue(t *testing.T, name string) string {
	t.Helper()
	for _, queue := range n.Queues(t) {
		if strings.HasPrefix(queue, amqpbus.ReplyQueue(name)+".") {
			return queue
		}
	}
	t.Fatalf("%s has no reply queue", name)
	return ""
}
