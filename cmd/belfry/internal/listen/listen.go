package listen

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"belfry/pkg/protocol"
)

// Options configures Run.
type Options struct {
	URL    string // ws:// or wss://
	Token  string
	Groups []protocol.Group
	Count  int       // end after this many events; 0: never
	Out    io.Writer // one event a line
	// Say is called with a one-line message about gaps, denied groups and lost connections.
	Say func(format string, args ...any)
	// FirstPause is the longest first pause between two attempts (default 500 ms). It
	// doubles up to 15 s.
	FirstPause time.Duration
}

const (
	defaultPause = 500 * time.Millisecond
	longestPause = 15 * time.Second
)

// final is an error that every further attempt would get, too.
type final struct{ err error }

func (f final) Error() string { return f.err.Error() }
func (f final) Unwrap() error { return f.err }

// later is an error after which the gateway asked for a pause.
type later struct {
	err   error
	after time.Duration
}

func (l later) Error() string { return l.err.Error() }
func (l later) Unwrap() error { return l.err }

// listener is the state of one Run.
type listener struct {
	Options
	client     *http.Client
	pause      time.Duration // longest pause before the next attempt
	subscribed bool          // the groups were active at least once
	seen       int           // number of events
}

// Run listens until Count events have arrived (then it returns nil), ctx ends, or an error is
// final.
func Run(ctx context.Context, o Options) error {
	if o.FirstPause == 0 {
		o.FirstPause = defaultPause
	}
	l := &listener{Options: o, client: &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}, pause: o.FirstPause}
	defer l.client.CloseIdleConnections()
	for {
		err := l.attempt(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("listen: %w", ctx.Err())
		}
		var f final
		if errors.As(err, &f) {
			return err
		}
		if err := l.rest(ctx, err); err != nil {
			return err
		}
	}
}

// rest waits before the next attempt.
func (l *listener) rest(ctx context.Context, cause error) error {
	pause := l.pause/2 + rand.N(l.pause/2+1) // jitter, not a secret
	var told later
	if errors.As(cause, &told) {
		pause = told.after + rand.N(l.pause) // jitter, not a secret
	}
	l.pause = min(2*l.pause, longestPause)
	l.Say("%v; trying again in %v", cause, pause.Round(10*time.Millisecond))
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("listen: %w", ctx.Err())
	}
}

// active is called when the groups are active.
func (l *listener) active(groups []protocol.Group) error {
	if len(groups) == 0 {
		return final{errors.New("none of the groups is allowed for this token; the policy decides (docs/policy.md)")}
	}
	if l.subscribed {
		l.Say("listening again; events in between are lost: reload what depends on them")
	} else {
		l.Say("listening to %d of %d groups", len(groups), len(l.Groups))
	}
	l.subscribed, l.pause = true, l.FirstPause
	return nil
}

// frame handles a frame after the subscription. done says that Count events have arrived.
func (l *listener) frame(text []byte) (done bool, err error) {
	if groups, ok := gapOf(text); ok {
		l.Say("gap: events of %s may be lost: reload what depends on them", groups)
		return false, nil
	}
	if bytes.ContainsAny(text, "\r\n") {
		var one bytes.Buffer
		if json.Compact(&one, text) == nil {
			text = one.Bytes()
		}
	}
	if _, err := fmt.Fprintf(l.Out, "%s\n", text); err != nil {
		return false, final{fmt.Errorf("print an event: %w", err)}
	}
	l.seen++
	return l.Count > 0 && l.seen >= l.Count, nil
}

// gapOf decodes a gap notice. Events have no envelope, so a frame is a notice if it has exactly
// the form of one.
func gapOf(text []byte) (groups []string, ok bool) {
	var keys map[string]json.RawMessage
	if json.Unmarshal(text, &keys) != nil || len(keys) != 1 || keys["gap"] == nil {
		return nil, false
	}
	return groups, json.Unmarshal(keys["gap"], &groups) == nil && groups != nil
}
