package trust

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func TestAStrangerIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.WarnLevel)
		u := New("BELFRY_GATEWAY_USERS", []string{"belfry-worker"}, zap.New(core))
		if u.Reason() != "" || len(u.Strangers()) > 0 {
			t.Errorf("a reason before anybody spoke: %q", u.Reason())
		}
		for range 100 {
			if u.Trusts("belfry-gateway") {
				t.Fatal("a stranger is trusted")
			}
		}
		const want = `messages of the broker user "belfry-gateway" are passed over: BELFRY_GATEWAY_USERS names "belfry-worker"`
		if got := u.Reason(); got != want {
			t.Errorf("reason %q", got)
		}
		time.Sleep(again)
		u.Trusts("belfry-gateway")
		lines := logs.All()
		if len(lines) != 2 || lines[0].ContextMap()["messages"] != uint64(1) || lines[1].ContextMap()["messages"] != uint64(100) || lines[0].ContextMap()["broker_user"] != "belfry-gateway" {
			t.Errorf("the log says %+v", lines)
		}
		// Once a trusted one is heard, the stranger is no reason any more.
		if !u.Trusts("belfry-worker") || u.Reason() != "" || !slices.Equal(u.Strangers(), []string{"belfry-gateway"}) {
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
		u.Trusts(fmt.Sprint(i))
	}
	if n := len(u.Strangers()); n != most || logs.Len() != most {
		t.Errorf("%d strangers, %d lines", n, logs.Len())
	}
}
