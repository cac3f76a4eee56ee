package auth

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"belfry/pkg/protocol"
)

// slowServer takes its time for each token, and says that those of strangers are no
// tokens of its own. It counts how many it is asked about at a time.
type slowServer struct {
	takes time.Duration

	mu        sync.Mutex
	now, most int
}

func (s *slowServer) count(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now += n
	s.most = max(s.most, s.now)
}

func (s *slowServer) answer(r *http.Request) (string, error) {
	s.count(1)
	defer s.count(-1)
	select {
	case <-time.After(s.takes):
	case <-r.Context().Done():
		return "", r.Context().Err()
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || strings.Contains(string(body), "stranger") {
		return `{"active": false}`, err
	}
	return `{"active": true, "sub": 7}`, nil
}

// TestStrangersWaitForThemselves: whoever shows many tokens that are none, of one
// address or of several, keeps the server busy with half of what it is asked at a
// time, or takes turns. Somebody else's token has the next turn. The clock is the bubble's.
func TestStrangersWaitForThemselves(t *testing.T) {
	for _, row := range []struct {
		strangers int           // addresses
		within    time.Duration // of the honest client, on a server that takes a second
	}{{1, time.Second}, {4, 2 * time.Second}} {
		t.Run(fmt.Sprint(row.strangers), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &slowServer{takes: time.Second}
				i := must(NewIntrospection(IntrospectionOptions{
					URL: "http://127.0.0.1:1/", Timeout: time.Hour, Parallel: 8, Cache: time.Hour, Claims: ClaimNames{User: "sub"},
				}))
				defer i.Close()
				i.client.Transport = transport(server.answer)
				var all sync.WaitGroup
				for n := range 400 {
					all.Go(func() {
						client := fmt.Sprintf("192.0.2.%d", n%row.strangers)
						if _, err := i.Authenticate(t.Context(), protocol.NewToken(fmt.Sprintf("stranger-%d", n)), client); !errors.Is(err, ErrRefused) {
							t.Errorf("a stranger: %v", err)
						}
					})
				}
				synctest.Wait()
				begin := time.Now()
				if _, err := i.Authenticate(t.Context(), protocol.NewToken("honest"), "198.51.100.1"); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(begin); took > row.within {
					t.Errorf("beside 400 tokens of %d strangers it took %v, want at most %v", row.strangers, took, row.within)
				}
				all.Wait()
				if server.most > 8 {
					t.Errorf("the server was asked %d questions at a time", server.most)
				}
			})
		})
	}
}

// TestNoPlaceInTimeIsNoVerdict: the client is told to try again, and nothing is
// remembered.
func TestNoPlaceInTimeIsNoVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &slowServer{takes: time.Minute}
		i := must(NewIntrospection(IntrospectionOptions{
			URL: "http://127.0.0.1:1/", Timeout: 2 * time.Second, Parallel: 1, Cache: time.Hour, Claims: ClaimNames{User: "sub"},
		}))
		defer i.Close()
		i.client.Transport = transport(server.answer)
		go func() { _, _ = i.Authenticate(t.Context(), protocol.NewToken("stranger"), "a") }()
		synctest.Wait()
		time.Sleep(time.Second) // the bubble's time
		go func() { _, _ = i.Authenticate(t.Context(), protocol.NewToken("stranger too"), "a") }()
		synctest.Wait()
		if _, err := i.Authenticate(t.Context(), protocol.NewToken("honest"), "b"); err == nil || errors.Is(err, ErrRefused) {
			t.Errorf("got %v, want an error that is no refusal", err)
		}
		synctest.Wait()
		server.takes = 0
		if _, err := i.Authenticate(t.Context(), protocol.NewToken("honest"), "b"); err != nil {
			t.Errorf("later: %v", err)
		}
	})
}
