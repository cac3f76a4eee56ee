package access

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"belfry/pkg/protocol"
	"belfry/services/worker/auth"
)

// TestOneUserCannotFillPool: one user asks about a hundred groups at a time, and the
// application answers none of these questions. Another user's question is answered.
func TestOneUserCannotFillPool(t *testing.T) {
	held := make(chan struct{})
	arrived := make(chan struct{}, 100)
	a, _ := application(t, ApplicationOptions{Parallel: 8, Timeout: 30 * time.Second}, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(string(body), `"user":7,`) {
			arrived <- struct{}{}
			<-held
		}
		allowing("jobs-1")(w, r)
	})
	var greedy sync.WaitGroup
	for i := range 100 {
		greedy.Go(func() {
			_, _ = a.Ask(t.Context(), user7, []protocol.Group{protocol.Group(fmt.Sprintf("job_events-%d", i))})
		})
	}
	for range 4 { // half of the places
		<-arrived
	}
	other := auth.Identity{User: json.RawMessage(`8`), Fingerprint: "f8"}
	got, err := a.Ask(t.Context(), other, []protocol.Group{"jobs-1"})
	if err != nil || !got["jobs-1"] {
		t.Errorf("the other user's question: %v, %v", got, err)
	}
	close(held)
	greedy.Wait()
}
