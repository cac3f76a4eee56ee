package runner

import (
	"bytes"
	"errors"
	"io"
	"time"
	"unicode/utf8"
)

const (
	// maxPiece bounds a piece of output in bytes: a longer line is split. It
	// stays far below what an event may hold, even if each byte is escaped.
	maxPiece = 64 << 10
	// partialAfter is how long a line may wait for its end before what is there
	// of it is shown: a prompt, a progress bar.
	partialAfter = 200 * time.Millisecond
)

// pieces reads r to its end and calls each with its text, in pieces of at most
// maxPiece bytes that together are the text: a line with its line break, and a
// part of a line when the line is longer, or when its rest does not come within
// partialAfter. No piece but the last ends inside a character. An error of each
// ends it, and is returned, as is r's; r must then be closed by the caller.
func pieces(r io.Reader, each func(string) error) error {
	type read struct {
		text []byte
		err  error
	}
	reads, stop := make(chan read), make(chan struct{})
	defer close(stop)
	go func() {
		for {
			text := make([]byte, 32<<10)
			n, err := r.Read(text)
			select {
			case reads <- read{text[:n], err}:
			case <-stop:
				return
			}
			if err != nil {
				return
			}
		}
	}()
	var held []byte // what waits for the end of its line
	patience := time.NewTimer(partialAfter)
	patience.Stop()
	for {
		select {
		case got := <-reads:
			waiting := len(held) > 0
			var err error
			if held, err = whole(append(held, got.text...), each); err != nil {
				return err
			}
			switch {
			case got.err != nil:
				if len(held) > 0 {
					err = each(string(held))
				}
				if errors.Is(got.err, io.EOF) {
					return err
				}
				return errors.Join(got.err, err)
			case len(held) == 0:
				patience.Stop()
			case !waiting || bytes.IndexByte(got.text, '\n') >= 0: // it waits from now on
				patience.Reset(partialAfter)
			}
		case <-patience.C:
			n := complete(held)
			if n == 0 {
				continue // the rest of the character starts the wait anew
			}
			if err := each(string(held[:n])); err != nil {
				return err
			}
			held = append([]byte(nil), held[n:]...)
		}
	}
}

// whole calls each with the lines and overlong parts of text, and returns the
// rest.
func whole(text []byte, each func(string) error) ([]byte, error) {
	for len(text) > 0 {
		n := bytes.IndexByte(text[:min(len(text), maxPiece)], '\n') + 1
		if n == 0 {
			if len(text) < maxPiece {
				break
			}
			n = complete(text[:maxPiece])
		}
		if err := each(string(text[:n])); err != nil {
			return nil, err
		}
		text = text[n:]
	}
	return text, nil
}

// complete is the length of text without a character that has only begun. Text
// that is not UTF-8 is complete as it is.
func complete(text []byte) int {
	for back := 1; back <= min(utf8.UTFMax, len(text)); back++ {
		if start := len(text) - back; utf8.RuneStart(text[start]) {
			if !utf8.FullRune(text[start:]) {
				return start
			}
			break
		}
	}
	return len(text)
}
