package rabbit

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/brokertest"
)

// TestReasons has what RabbitMQ 3.10 to 4 say, word for word.
func TestReasons(t *testing.T) {
	for _, c := range []struct {
		code int
		text string
		is   error
	}{
		{406, "PRECONDITION_FAILED - cannot declare queue 'belfry.layout.v1': queue limit in vhost '/' (1) is reached", amqpbus.ErrLimit},
		{406, "PRECONDITION_FAILED - inequivalent arg 'x-delivery-limit' for queue 'q' in vhost '/': received '20' but current is 'none'", amqpbus.ErrArguments},
		{406, "PRECONDITION_FAILED - user_id property set to 'a' but authenticated user was 'b'", amqpbus.ErrUserID},
		{403, "ACCESS_REFUSED - access to exchange 'belfry.emit' in vhost '/' refused for user 'b'", amqpbus.ErrPermission},
		{403, "ACCESS_REFUSED - access to topic 'jobs-summary' in exchange 'belfry.emit' in vhost '/' refused for user 'b'", amqpbus.ErrPermission},
		{403, "ACCESS_REFUSED - queue 'belfry.reply.a' in vhost '/' in exclusive use", amqpbus.ErrInUse},
		{403, "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile.", amqpbus.ErrCredentials},
		{404, "NOT_FOUND - no queue 'q' in vhost '/'", amqpbus.ErrNoQueue},
		{404, "NOT_FOUND - home node 'rabbit@b' of durable queue 'q' in vhost '/' is down or inaccessible", amqpbus.ErrHomeNode},
		{530, "NOT_ALLOWED - vhost nope not found", amqpbus.ErrVirtualHost},
		{530, "NOT_ALLOWED - access to vhost '/' refused for user 'b'", amqpbus.ErrVirtualHost},
		{530, "NOT_ALLOWED - access to vhost '/' refused for user 'b': connection limit (1) is reached", amqpbus.ErrLimit},
		{530, "NOT_ALLOWED - connection refused for user 'b': user connection limit (1) is reached", amqpbus.ErrLimit},
		{530, "NOT_ALLOWED - number of channels opened for user 'b' has reached the maximum allowed user limit of (1)", amqpbus.ErrLimit},
		{541, "INTERNAL_ERROR - access to vhost '/' refused for user 'b': vhost '/' is down", amqpbus.ErrVirtualHost},
		{320, "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'", amqpbus.ErrLinkLost},
	} {
		got := reason(&amqp.Error{Code: c.code, Reason: c.text, Server: true})
		if !errors.Is(got, c.is) || !strings.Contains(got.Error(), c.text) {
			t.Errorf("%s:\n%v", c.text, got)
		}
	}
	if got := reason(&amqp.Error{Code: 406, Reason: "PRECONDITION_FAILED - something new", Server: true}); errors.Is(got, amqpbus.ErrLinkLost) ||
		amqpbus.Standing(got) || !strings.Contains(got.Error(), "something new") {
		t.Errorf("one that is not in the table: %v", got)
	}
}

// refusals is one broker that refuses in all its ways.
type refusals struct{ *brokertest.Node }

// limit is one of the broker's, of a virtual host or of a user.
type limit struct {
	set   func(of, name string, value int) error
	unset func(of, name string) error
	of    string
	name  string
}

// none lets there be none of what is limited for as long as the test runs.
func (l limit) none(t *testing.T) {
	t.Helper()
	if err := l.set(l.of, l.name, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.unset(l.of, l.name); err != nil {
			t.Error(err)
		}
	})
}

func (r refusals) vhost(name string) limit { return limit{r.LimitVHost, r.UnlimitVHost, "/", name} }
func (r refusals) user(name string) limit {
	return limit{r.LimitUser, r.UnlimitUser, "outsider", name}
}

// TestBrokersReasons: each refusal is told as what it is, by the verb that met
// it or by the health, in the broker's own words.
func TestBrokersReasons(t *testing.T) {
	n := refusals{brokertest.Start(t)}
	layout := amqpbus.SharedTopology(amqpbus.Layout{Shards: 1})
	up := func(h amqpbus.Health) bool { return h.Connected }
	refused := func(h amqpbus.Health) bool { return h.Refused != "" }
	down := func(what error) func(h amqpbus.Health) bool {
		return func(h amqpbus.Health) bool { return errors.Is(h.Err, what) }
	}
	if err := n.AddUser("outsider", "secret", "^$", "^$", "^$"); err != nil {
		t.Fatal(err)
	}

	t.Run("queue limit", func(t *testing.T) {
		b := openBus(t, Options{URL: n.URL("guest")})
		n.vhost("max-queues").none(t)
		err := b.Declare(t.Context(), layout)
		if !errors.Is(err, amqpbus.ErrLimit) || errors.Is(err, amqpbus.ErrLayout) || !strings.Contains(err.Error(), "queue limit in vhost '/' (0) is reached") {
			t.Errorf("declare: %v", err)
		}
		if h := healthy(t, b, refused); !strings.Contains(h.Refused, "is reached") {
			t.Errorf("health: %+v", h)
		}
	})
	t.Run("another layout", func(t *testing.T) {
		b := openBus(t, Options{URL: n.URL("guest")})
		if err := b.Declare(t.Context(), layout); err != nil {
			t.Fatal(err)
		}
		if err := b.Declare(t.Context(), amqpbus.SharedTopology(amqpbus.Layout{Shards: 2})); !errors.Is(err, amqpbus.ErrLayout) {
			t.Errorf("declare: %v", err)
		}
		q := layout.Queues[len(layout.Queues)-1]
		q.MaxLength++
		err := b.Declare(t.Context(), amqpbus.Topology{Queues: []amqpbus.Queue{q}})
		if !errors.Is(err, amqpbus.ErrArguments) || !strings.Contains(err.Error(), "inequivalent arg") || !strings.Contains(err.Error(), q.Name) {
			t.Errorf("declare: %v", err)
		}
	})
	t.Run("user id", func(t *testing.T) {
		b := openBus(t, Options{URL: n.URL("guest")})
		b.(*bus).user = "Guest" // as where the broker's own directory knows the user
		err := n.publish(t, b, amqpbus.Message{Key: "nobody"})
		if !errors.Is(err, amqpbus.ErrUserID) || !strings.Contains(err.Error(), "user_id property set to 'Guest'") {
			t.Errorf("publish: %v", err)
		}
		if h := healthy(t, b, refused); !strings.Contains(h.Refused, "user_id") || !h.Connected {
			t.Errorf("health: %+v", h)
		}
	})
	t.Run("permissions", func(t *testing.T) {
		b := openBus(t, Options{URL: n.URL("outsider")})
		err := n.publish(t, b, amqpbus.Message{Exchange: amqpbus.ExchangeEmit, Key: "jobs-summary"})
		if !errors.Is(err, amqpbus.ErrPermission) || !strings.Contains(err.Error(), "'belfry.emit'") {
			t.Errorf("publish: %v", err)
		}
		if err := b.Declare(t.Context(), amqpbus.Topology{Queues: []amqpbus.Queue{{Name: "mine"}}}); !errors.Is(err, amqpbus.ErrPermission) {
			t.Errorf("declare: %v", err)
		}
		_, err = b.OpenConsumer(t.Context(), amqpbus.ConsumerOptions{Queue: amqpbus.QueueDead, Prefetch: 1})
		if !errors.Is(err, amqpbus.ErrPermission) || errors.Is(err, amqpbus.ErrInUse) {
			t.Errorf("consume: %v", err)
		}
	})
	for name, c := range map[string]struct {
		url   string
		is    error
		limit limit
	}{
		"wrong password":       {strings.Replace(n.URL("outsider"), "secret", "guessed", 1), amqpbus.ErrCredentials, limit{}},
		"unknown virtual host": {n.URL("guest") + "nope", amqpbus.ErrVirtualHost, limit{}},
		"connection limit":     {n.URL("guest"), amqpbus.ErrLimit, n.vhost("max-connections")},
		"user's connections":   {n.URL("outsider"), amqpbus.ErrLimit, n.user("max-connections")},
	} {
		t.Run(name, func(t *testing.T) {
			if c.limit.set != nil {
				c.limit.none(t)
			}
			b := openBus(t, Options{URL: c.url})
			h := healthy(t, b, down(c.is))
			if text := fmt.Sprint(h.Err); strings.Count(text, "connect to") != 1 || strings.Contains(text, "guessed") || strings.Contains(text, "is the broker running") {
				t.Errorf("health: %v", h.Err)
			}
			_, err := OpenProbe(t.Context(), Options{URL: c.url})
			if !errors.Is(err, c.is) {
				t.Errorf("a probe: %v", err)
			}
		})
	}
	t.Run("user's channels", func(t *testing.T) {
		n.user("max-channels").none(t)
		b := openBus(t, Options{URL: n.URL("outsider")})
		healthy(t, b, up)
		_, err := b.OpenPublisher(t.Context(), 1)
		if !errors.Is(err, amqpbus.ErrLimit) {
			t.Errorf("open: %v", err)
		}
	})
}

// publish returns what came of one message.
func (refusals) publish(t *testing.T, b amqpbus.Bus, m amqpbus.Message) error {
	t.Helper()
	p, err := b.OpenPublisher(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	outcome := make(chan error, 1)
	if err := p.Publish(t.Context(), m, func(err error) { outcome <- err }); err != nil {
		return err
	}
	return <-outcome
}
