package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"belfry/pkg/emitter"
)

// maxLines is the largest number of events that are sent together.
const maxLines = 500

// inputLine is one event of standard input or, with err, why there are no more.
type inputLine struct {
	number  int // from 1
	payload []byte
	err     error
}

// emitLines emits every line of in, in order. Lines that are waiting are sent together. It
// ends at the first line that is not a valid event, after emitting those before it.
func emitLines(ctx context.Context, e *emitter.Emitter, group string, in io.Reader) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lines := make(chan inputLine, maxLines)
	go readLines(ctx, in, lines)
	for {
		events, numbers, end := nextEvents(ctx, lines, group)
		var batch *emitter.BatchError
		switch err := e.EmitBatch(ctx, events); {
		case errors.As(err, &batch):
			first := batch.Failures[0]
			return fmt.Errorf("line %d was not emitted, and %d others were not: %w", numbers[first.Index], len(batch.Failures)-1, first.Err)
		case err != nil:
			return err
		case errors.Is(end, io.EOF):
			return nil
		case end != nil:
			return end
		}
	}
}

// nextEvents waits for a line and returns it with all others that are waiting. end is not
// nil if there will be no more.
func nextEvents(ctx context.Context, lines <-chan inputLine, group string) (events []emitter.Event, numbers []int, end error) {
	select {
	case l := <-lines:
		for {
			if l.err != nil {
				return events, numbers, l.err
			}
			events, numbers = append(events, emitter.Event{Group: group, Payload: l.payload}), append(numbers, l.number)
			if len(events) == maxLines {
				return events, numbers, nil
			}
			select {
			case l = <-lines:
			default:
				return events, numbers, nil
			}
		}
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
}

// readLines sends every line and, at last, why there are no more. A read from a terminal
// cannot be cancelled: after ctx has ended, readLines returns with the next line.
func readLines(ctx context.Context, in io.Reader, lines chan<- inputLine) {
	scanner := bufio.NewScanner(in)
	scanner.Buffer(nil, emitter.MaxPayload+2)
	number := 0
	for scanner.Scan() {
		number++
		text := bytes.TrimSpace(scanner.Bytes())
		if len(text) == 0 {
			continue
		}
		l := inputLine{number: number, payload: bytes.Clone(text)}
		if err := checkPayload(text); err != nil {
			l.err = fmt.Errorf("line %d: %w", number, err)
		}
		select {
		case lines <- l:
		case <-ctx.Done():
			return
		}
		if l.err != nil {
			return
		}
	}
	end := inputLine{err: io.EOF}
	if err := scanner.Err(); err != nil {
		end.err = fmt.Errorf("read line %d: %w", number+1, err)
	}
	select {
	case lines <- end:
	case <-ctx.Done():
	}
}

// checkPayload returns an error that says what is wrong with an event, or nil.
func checkPayload(text []byte) error {
	switch {
	case bytes.HasPrefix(text, []byte("\ufeff")):
		return errors.New("the event begins with a byte order mark (BOM): save the file as UTF-8 without one")
	case bytes.HasSuffix(text, []byte("\r")):
		return errors.New("the event ends in a carriage return (CR): remove it")
	case len(text) > emitter.MaxPayload:
		return fmt.Errorf("the event has %d bytes, at most %d are allowed", len(text), emitter.MaxPayload)
	case !utf8.Valid(text):
		return errors.New("the event is not UTF-8")
	}
	var event json.RawMessage
	if err := json.Unmarshal(text, &event); err != nil {
		return fmt.Errorf("the event is not JSON: %w", err)
	}
	return nil
}
