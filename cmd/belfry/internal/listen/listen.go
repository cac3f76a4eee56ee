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

// Options say what to listen to.
type Options struct {
	URL    string // ws:// or wss://
	Token  string
	Groups []protocol.Group
	Count  int       // end after so many events; 0: never
	Out    io.Writer // one event a line
	// Say is told, in one line, of gaps, denied groups and lost connections.
	Say func(format string, args ...any)
	// FirstPause is how long the first pause between two attempts may be,
	// default 500 ms; it doubles up to 15 s.
	FirstPause time.Duration
}

const (
	defaultPause = 500 * time.Millisecond
	longestPause = 15 * time.Second
)

// final is an error that another attempt would meet again.
type final struct{ err error }

func (f final) Error() string { return f.err.Error() }
func (f final) Unwrap() error { return f.err }

// later is an error after which the gateway wants to be left alone for a while.
type later struct {
	err   error
	after time.Duration
}

func (l later) Error() string { return l.err.Error() }
func (l later) Unwrap() error { return l.err }

// listener is one Run.
type listener struct {
	Options
	client     *http.Client
	pause      time.Duration // before the next attempt, at most
	subscribed bool          // once at least
	seen       int           // events
}

// Run listens until Count events have come (nil), ctx ends (its error), or an
// error is final.
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

// active is told that the groups are subscribed.
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

// frame handles a frame after the subscription; done says that it was the last
// event that was asked for.
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

// gapOf reads a gap notice. An event has no envelope; a notice is what looks
// exactly like one.
func gapOf(text []byte) (groups []string, ok bool) {
	var keys map[string]json.RawMessage
	if json.Unmarshal(text, &keys) != nil || len(keys) != 1 || keys["gap"] == nil {
		return nil, false
	}
	return groups, json.Unmarshal(keys["gap"], &groups) == nil && groups != nil
}
