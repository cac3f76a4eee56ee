package harness

import (
	"bytes"
	"context"
	"crypto/rand"
	"net/http"
	"testing"

	"belfry/pkg/amqpbus"
)

// Disconnect gives an order as a backend does: it publishes the JSON to
// belfry.disconnect, or, in the embedded mode, posts it.
func (in *Installation) Disconnect(t testing.TB, order string) {
	t.Helper()
	if in.shape.Embedded {
		in.postDisconnect(t, order)
		return
	}
	p, err := openPublisher(in.Broker.BackendURL(), "e2e-disconnect")
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	err = p.publish(amqpbus.Message{Exchange: amqpbus.ExchangeDisconnect, ID: rand.Text(), Mandatory: true, Body: []byte(order)})
	if err != nil {
		t.Fatalf("order to disconnect: %v", err)
	}
}

func (in *Installation) postDisconnect(t testing.TB, order string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), emitWithin)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+in.Gateways[0].Admin+"/disconnect", bytes.NewReader([]byte(order)))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+emitSecret)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatalf("order to disconnect: %v", err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusNoContent {
		t.Fatalf("order to disconnect: HTTP %d", response.StatusCode)
	}
}
