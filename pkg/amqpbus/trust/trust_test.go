package trust

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"belfry/pkg/amqpbus"
)

// by is a message of a user.
func by(user string) *amqpbus.Delivery { return &amqpbus.Delivery{UserID: user} }

func TestUntrustedUserIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.WarnLevel)
		u := New("BELFRY_GATEWAY_USERS", []string{"belfry-worker"}, zap.New(core))
		if u.Reason() != "" || len(u.Strangers()) > 0 {
			t.Errorf("a reason before anybody spoke: %q", u.Reason())
		}
		for range 100 {
			if u.Trusts(by("belfry-gateway")) {
				t.Fatal("a stranger is trusted")
			}
		}
		const want = `messages of the broker user "belfry-gateway" are passed over: BELFRY_GATEWAY_USERS names "belfry-worker"`
		if got := u.Reason(); got != want {
			t.Errorf("reason %q", got)
		}
		time.Sleep(again)
		u.Trusts(by("belfry-gateway"))
		lines := logs.All()
		if len(lines) != 2 || lines[0].ContextMap()["messages"] != uint64(1) || lines[1].ContextMap()["messages"] != uint64(100) || lines[0].ContextMap()["broker_user"] != "belfry-gateway" {
			t.Errorf("the log says %+v", lines)
		}
		// Once a trusted one is heard, the stranger is no reason any more.
		if !u.Trusts(by("belfry-worker")) || u.Reason() != "" || !slices.Equal(u.Strangers(), []string{"belfry-gateway"}) {
			t.Errorf("reason %q, strangers %q", u.Reason(), u.Strangers())
		}
		time.Sleep(lasts + time.Second)
		if len(u.Strangers()) > 0 {
			t.Errorf("still remembered: %q", u.Strangers())
		}
	})
}

func TestStrangersAreBounded(t *testing.T) {
	core, logs := observer.New(zap.WarnLevel)
	u := New("X", nil, zap.New(core))
	for i := range 1000 {
		u.Trusts(by(fmt.Sprint(i)))
	}
	if n := len(u.Strangers()); n != most || logs.Len() != most {
		t.Errorf("%d strangers, %d lines", n, logs.Len())
	}
}

// TestNothingIsPlayedBack: what died in another queue keeps the name of who published
// it, and is not believed for that; it makes nobody a stranger.
func TestNothingIsPlayedBack(t *testing.T) {
	core, logs := observer.New(zap.WarnLevel)
	u := New("BELFRY_WORKER_USERS", []string{"belfry-worker"}, zap.New(core))
	for range 100 {
		if u.Trusts(&amqpbus.Delivery{UserID: "belfry-worker", Dead: &amqpbus.Death{Queue: "belfry.reply.mine"}}) {
			t.Fatal("it is trusted")
		}
	}
	if lines := logs.All(); len(lines) != 1 || lines[0].ContextMap()["died_in"] != "belfry.reply.mine" {
		t.Errorf("the log says %+v", lines)
	}
	if !u.Trusts(by("belfry-worker")) || len(u.Strangers()) > 0 || u.Reason() != "" {
		t.Errorf("strangers %q, reason %q", u.Strangers(), u.Reason())
	}
}
