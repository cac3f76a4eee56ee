package runner

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"
)

// written is what a program writes, and when after what it wrote before.
type written struct {
	after time.Duration
	text  string
}

// read returns the pieces of what is written, each with when it came.
func read(t *testing.T, all ...written) (texts []string, at []time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		go func() {
			for _, one := range all {
				time.Sleep(one.after)
				_, _ = io.WriteString(w, one.text)
			}
			_ = w.Close()
		}()
		start := time.Now()
		err := pieces(r, func(text string) error {
			texts, at = append(texts, text), append(at, time.Since(start))
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	return texts, at
}

func TestPiecesAreLines(t *testing.T) {
	const second = time.Second
	for _, look := range []struct {
		what  string
		write []written
		want  []string
	}{
		{"nothing", nil, nil},
		{"lines at once", []written{{0, "a\nb\n\nc\n"}}, []string{"a\n", "b\n", "\n", "c\n"}},
		{"a last line without its end", []written{{0, "a\nb"}}, []string{"a\n", "b"}},
		{"a line in two writes", []written{{0, "a"}, {partialAfter / 2, "b\n"}}, []string{"ab\n"}},
		{"a prompt", []written{{0, "name? "}, {second, "bob\n"}}, []string{"name? ", "bob\n"}},
		{"a prompt after a line", []written{{0, "a\nname? "}, {second, "bob\n"}}, []string{"a\n", "name? ", "bob\n"}},
		{"a progress bar", []written{{0, "\r10%"}, {second, "\r20%"}, {second, "\r30%\n"}}, []string{"\r10%", "\r20%", "\r30%\n"}},
		{"a character in two writes", []written{{0, "caf\xc3"}, {second, "\xa9\n"}}, []string{"caf", "é\n"}},
		{"what is not UTF-8", []written{{0, "\xff\xfe"}, {second, "\n"}}, []string{"\xff\xfe", "\n"}},
		{"half a character at the end", []written{{0, "a\xc3"}}, []string{"a\xc3"}},
	} {
		if got, _ := read(t, look.write...); !slices.Equal(got, look.want) {
			t.Errorf("%s: %q, want %q", look.what, got, look.want)
		}
	}
}

// TestAPartOfALineWaitsNoLonger writes without a pause for ten times as long as
// a part may wait.
func TestAPartOfALineWaitsNoLonger(t *testing.T) {
	var dots []written
	for range 100 {
		dots = append(dots, written{partialAfter / 10, "."})
	}
	texts, at := read(t, dots...)
	if got := strings.Join(texts, ""); got != strings.Repeat(".", 100) {
		t.Errorf("got %q", got)
	}
	last := time.Duration(0)
	for i, when := range at {
		if when-last > partialAfter+partialAfter/10 {
			t.Errorf("piece %d came %v after the one before", i, when-last)
		}
		last = when
	}
	if len(texts) > 11 {
		t.Errorf("%d pieces: each write is one", len(texts))
	}
}

func TestLongLinesAreSplit(t *testing.T) {
	for _, text := range []string{
		strings.Repeat("x", maxPiece), strings.Repeat("x", maxPiece) + "\n", strings.Repeat("x", 5*maxPiece/2) + "\nshort\n",
		"a" + strings.Repeat("é", 2*maxPiece), // no split is at a whole number of characters
		strings.Repeat("\xff", 3*maxPiece),
	} {
		got, _ := read(t, written{0, text})
		if strings.Join(got, "") != text {
			t.Errorf("%d bytes came as other text", len(text))
		}
		for i, piece := range got {
			if len(piece) > maxPiece || len(piece) == 0 {
				t.Errorf("piece %d of %d bytes has %d", i, len(text), len(piece))
			}
			if utf8.ValidString(text) && !utf8.ValidString(piece) {
				t.Errorf("piece %d of %d bytes ends inside a character", i, len(text))
			}
		}
	}
}

func TestPiecesReturnErrors(t *testing.T) {
	full := errors.New("the disk is full")
	r, w := io.Pipe()
	defer func() { _ = r.Close() }()
	go func() { _, _ = io.WriteString(w, "a\nb\n") }()
	if err := pieces(r, func(string) error { return full }); !errors.Is(err, full) {
		t.Errorf("the caller's error came back as %v", err)
	}
	broken := errors.New("the pipe broke")
	r, w = io.Pipe()
	go func() {
		_, _ = io.WriteString(w, "half")
		_ = w.CloseWithError(broken)
	}()
	var got []string
	err := pieces(r, func(text string) error { got = append(got, text); return nil })
	if !errors.Is(err, broken) || !slices.Equal(got, []string{"half"}) {
		t.Errorf("got %q and %v", got, err)
	}
}
