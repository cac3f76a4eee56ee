package app

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"go.uber.org/zap"

	"belfry/pkg/amqpbus/membus"
	"belfry/pkg/settings"
)

const patience = 10 * time.Second

// TestGatewayAlone starts without a worker, says so, lets nobody in, and leaves
// nothing behind: TestMain looks for goroutines.
func TestGatewayAlone(t *testing.T) {
	for variable, value := range map[string]string{
		"BELFRY_NAME": "test", "BELFRY_LISTEN": "127.0.0.1:0", "BELFRY_ADMIN_LISTEN": "127.0.0.1:0", "BELFRY_DRAIN_NOTICE": "0s",
	} {
		t.Setenv(variable, value)
	}
	var cfg Config
	if err := settings.Load(&cfg); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	bus := membus.New().Open("belfry")
	a, err := New(cfg, bus, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if why := a.Ready(); len(why) == 0 || slices.Contains(why, "draining") {
		t.Errorf("it is not ready because of %q", why)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	status := func(address string, header http.Header) int {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header = header
		answer, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		return answer.StatusCode
	}
	if got := status(a.AdminAddr()+"/health/ready", nil); got != 503 {
		t.Errorf("ready is answered %d", got)
	}
	if got := status(a.AdminAddr()+"/health/live", nil); got != 200 {
		t.Errorf("live is answered %d", got)
	}
	if got := status(a.Addr()+"/websocket?token=abc", http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="},
	}); got != 503 {
		t.Errorf("a handshake is answered %d", got)
	}
	if err := a.Stop(ctx); err != nil {
		t.Errorf("stop: %v", err)
	}
	if why := a.Ready(); !slices.Contains(why, "draining") {
		t.Errorf("stopped, it is not ready because of %q", why)
	}
	if err := bus.Close(ctx); err != nil {
		t.Errorf("close the bus: %v", err)
	}
}
