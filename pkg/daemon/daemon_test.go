package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"belfry/pkg/settings"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSignalEndsTheProgramWithStatusZero(t *testing.T) {
	signals := make(chan os.Signal, 2)
	signals <- syscall.SIGTERM
	var stderr bytes.Buffer
	status := supervise("gateway", func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}, signals, &stderr, func(int) { t.Error("one signal ended the process at once") })
	if status != 0 || stderr.Len() != 0 {
		t.Errorf("status %d, said %q", status, &stderr)
	}
}

func TestErrorEndsProgramWithStatusOne(t *testing.T) {
	for name, run := range map[string]func(context.Context) error{
		"alone":                    func(context.Context) error { return errors.New("no luck") },
		"beside the cancellation":  func(context.Context) error { return errors.Join(context.Canceled, errors.New("no luck")) },
		"a cancellation unasked":   func(context.Context) error { return errors.New("no luck: " + context.Canceled.Error()) },
		"while stopping, a signal": func(ctx context.Context) error { <-ctx.Done(); return errors.New("no luck") },
	} {
		signals := make(chan os.Signal, 2)
		if strings.Contains(name, "signal") || strings.Contains(name, "beside") {
			signals <- syscall.SIGINT
		}
		var stderr bytes.Buffer
		if status := supervise("worker", run, signals, &stderr, nil); status != 1 {
			t.Errorf("%s: status %d", name, status)
		}
		if !json.Valid(stderr.Bytes()) || !strings.Contains(stderr.String(), `"msg":"worker failed and ends"`) || !strings.Contains(stderr.String(), "no luck") {
			t.Errorf("%s: said %q", name, &stderr)
		}
	}
}

func TestSecondSignalKills(t *testing.T) {
	signals := make(chan os.Signal, 2)
	killed := make(chan int, 1)
	signals <- syscall.SIGTERM
	signals <- syscall.SIGTERM
	supervise("gateway", func(ctx context.Context) error {
		<-ctx.Done()
		if status := <-killed; status != 128+15 {
			t.Errorf("killed with status %d", status)
		}
		return nil
	}, signals, io.Discard, func(status int) { killed <- status })
}

// TestHangUpsDrain: a terminal that closes sends SIGHUP twice, once itself and
// once by its shell. Neither ends the program at once.
func TestHangUpsDrain(t *testing.T) {
	signals := make(chan os.Signal)
	drained := false
	status := supervise("gateway", func(ctx context.Context) error {
		signals <- syscall.SIGHUP
		<-ctx.Done()
		signals <- syscall.SIGHUP
		signals <- syscall.SIGTERM
		drained = true
		return nil
	}, signals, io.Discard, func(int) { t.Error("the program was ended at once") })
	if status != 0 || !drained {
		t.Errorf("status %d, drained %t", status, drained)
	}
}

// TestLastWordsDoNotWaitForEver: nobody reads standard error.
func TestLastWordsDoNotWaitForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		began := time.Now()
		if status := supervise("gateway", func(context.Context) error { return errors.New("no luck") }, nil, w, nil); status != 1 {
			t.Errorf("status %d", status)
		}
		if took := time.Since(began); took != sayWithin {
			t.Errorf("took %v", took)
		}
		_ = r.Close()
	})
}

func TestArguments(t *testing.T) {
	for _, c := range []struct {
		args   []string
		status int
		end    bool
	}{{nil, 0, false}, {[]string{"--version"}, 0, true}, {[]string{"--help"}, 0, true}, {[]string{"--port=1"}, 2, true}} {
		var out bytes.Buffer
		status, end := arguments("gateway", &settings.Broker{}, c.args, &out, &out)
		if status != c.status || end != c.end || c.end != (out.Len() > 0) {
			t.Errorf("%q: %d %v %q", c.args, status, end, &out)
		}
	}
}

func TestStepsStopInReverseOrderAndJoinErrors(t *testing.T) {
	var s Steps
	var done []string
	for _, name := range []string{"bus", "hub", "listener"} {
		err := s.Start(t.Context(), name, nil, func(context.Context) error {
			done = append(done, name)
			return errors.New(name + " is stubborn")
		}, time.Second)
		if err != nil {
			t.Fatal(err)
		}
	}
	err := s.Stop(t.Context())
	if !slices.Equal(done, []string{"listener", "hub", "bus"}) {
		t.Errorf("order %q", done)
	}
	for _, want := range []string{"stop listener: listener is stubborn", "stop hub: ", "stop bus: "} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v has no %q", err, want)
		}
	}
	if err := s.Stop(t.Context()); err != nil || len(done) != 3 {
		t.Errorf("a second Stop did something: %v %q", err, done)
	}
}

func TestFailedStepStopsTheOthers(t *testing.T) {
	var s Steps
	var stopped []string
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	note := func(name string) func(context.Context) error {
		return func(ctx context.Context) error {
			stopped = append(stopped, name)
			return ctx.Err()
		}
	}
	if err := s.Start(ctx, "bus", nil, note("bus"), time.Second); err != nil {
		t.Fatal(err)
	}
	err := s.Start(ctx, "listener", func(context.Context) error {
		cancel()
		return errors.New("the port is taken")
	}, note("listener"), time.Second)
	if err == nil || err.Error() != "start listener: the port is taken" {
		t.Errorf("error %v", err)
	}
	if !slices.Equal(stopped, []string{"bus"}) {
		t.Errorf("stopped %q", stopped)
	}
}

func TestHangingStepIsAbandoned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Steps
		release := make(chan struct{})
		stopped := false
		_ = s.Start(t.Context(), "first", nil, func(context.Context) error { stopped = true; return nil }, time.Second)
		_ = s.Start(t.Context(), "hanging", nil, func(context.Context) error { <-release; return nil }, 5*time.Second)
		began := time.Now()
		err := s.Stop(t.Context())
		if took := time.Since(began); took != 5*time.Second+100*time.Millisecond {
			t.Errorf("took %v", took)
		}
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "stop hanging: not finished within 5s") || !stopped {
			t.Errorf("error %v, first stopped: %v", err, stopped)
		}
		close(release)
	})
}

func TestAdminAnswers(t *testing.T) {
	registry := prometheus.NewRegistry()
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "belfry_test_total", Help: "x"})
	registry.MustRegister(counter)
	var reasons []string
	a := NewAdmin(AdminOptions{Listen: "127.0.0.1:0", Gatherer: registry, Ready: func() []string { return reasons }})
	a.Handle("POST /emit/{group}", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.PathValue("group")) }))
	if a.Addr() != "" {
		t.Error("an address before Start")
	}
	if err := a.Start(); err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	get := func(method, path string) (int, string) {
		t.Helper()
		request, _ := http.NewRequestWithContext(t.Context(), method, "http://"+a.Addr()+path, nil)
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		return response.StatusCode, string(body)
	}
	if status, body := get("GET", "/health/live"); status != 200 || body != "{\"live\":true}\n" {
		t.Errorf("live: %d %s", status, body)
	}
	if status, body := get("GET", "/health/ready"); status != 200 || body != "{\"ready\":true}\n" {
		t.Errorf("ready: %d %s", status, body)
	}
	reasons = []string{"no worker", "draining"}
	status, body := get("GET", "/health/ready")
	var got struct {
		Ready   bool
		Reasons []string
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil || status != 503 || got.Ready || !slices.Equal(got.Reasons, reasons) {
		t.Errorf("not ready: %d %s %v", status, body, err)
	}
	if status, body := get("GET", "/metrics"); status != 200 || !strings.Contains(body, "belfry_test_total 0") {
		t.Errorf("metrics: %d %s", status, body)
	}
	if status, body := get("POST", "/emit/jobs-1"); status != 200 || body != "jobs-1" {
		t.Errorf("added handler: %d %s", status, body)
	}
	for _, path := range []string{"/debug/pprof/", "/"} {
		if status, _ := get("GET", path); status != 404 {
			t.Errorf("%s answers %d", path, status)
		}
	}
	if err := a.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestAdminAnswersNoForeignName: a site's name can be pointed at 127.0.0.1, and its
// page would read what is shown here.
func TestAdminAnswersNoForeignName(t *testing.T) {
	for _, remote := range []bool{false, true} {
		a := NewAdmin(AdminOptions{Listen: "127.0.0.1:0", AllowRemote: remote, Gatherer: prometheus.NewRegistry()})
		for host, own := range map[string]bool{
			"127.0.0.1:9051": true, "localhost:9051": true, "LOCALHOST": true, "[::1]:9051": true, "a.localhost": true, "10.0.0.7": true, "": true,
			"evil.example": false, "evil.example:9051": false, "localhost.evil.example": false, "127.0.0.1.evil.example": false, "gateway:9051": false,
		} {
			for _, path := range []string{"/metrics", "/health/ready", "/health/live", "/emit/jobs-1"} {
				w := httptest.NewRecorder()
				r := httptest.NewRequest(http.MethodGet, path, nil)
				r.Host = host
				a.server.Handler.ServeHTTP(w, r)
				if refused := w.Code == http.StatusMisdirectedRequest; refused == (own || remote) {
					t.Errorf("%s of %q, remote %t: %d", path, host, remote, w.Code)
				}
			}
		}
	}
}

func TestAdminListensOnLoopbackOnly(t *testing.T) {
	for _, address := range []string{":0", "0.0.0.0:0", "[::]:0", "192.0.2.1:0", "example.org:0"} {
		a := NewAdmin(AdminOptions{Listen: address})
		if err := a.Start(); !errors.Is(err, ErrNotLoopback) {
			t.Errorf("%s: %v", address, err)
		}
		if err := a.Stop(t.Context()); err != nil {
			t.Errorf("%s: stop: %v", address, err)
		}
	}
	a := NewAdmin(AdminOptions{Listen: "0.0.0.0:0", AllowRemote: true})
	if err := a.Start(); err != nil {
		t.Fatal(err)
	}
	if err := a.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}
