package bustest

import (
	"context"
	"errors"
	"fmt"

	"belfry/pkg/amqpbus"
)

var logReaderContracts = []contract{
	{"it begins with the entry of its offset", testReadFrom},
	{"at the end it brings what comes later", testReadNext},
	{"beyond the end it waits for exactly that offset", testReadBeyond},
	{"it reads on beyond its prefetch", testReadOn},
	{"what waits for a slow owner is kept", testReadLarge},
	{"an ended context loses nothing", testReadContext},
	{"an offset that is none is refused", testReadNowhere},
	{"closing it ends it, also while it waits", testReaderClose},
	{"closing the bus ends it", testReaderBusClose},
	{"a reader that was closed leaves the others alone", testReadersApart},
}

func testReadFrom(k *kit) {
	b := k.bus(UserA)
	log := k.log(b)
	k.send(b, log, numbers(0, 99)...)
	all := k.entries(k.reader(b, log, 0), 100, 100)
	for _, i := range []int{0, 1, 57, 99} {
		if e := k.entries(k.reader(b, log, all[i].Offset), 1, 1)[0]; e.Offset != all[i].Offset || string(e.Body) != fmt.Sprint(i) {
			k.Errorf("a reader at %d begins with %d, %q", all[i].Offset, e.Offset, e.Body)
		}
	}
}

func testReadNext(k *kit) {
	b := k.bus(UserA)
	log := k.log(b)
	k.send(b, log, numbers(1, 10)...)
	r := k.reader(b, log, amqpbus.LogNext)
	mark := k.attached(b, r, log)
	k.send(b, log, "later")
	if e := k.expectEntries(r, "later")[0]; e.Offset != mark.Offset+1 {
		k.Errorf("offset %d comes behind %d", e.Offset, mark.Offset)
	}
}

func testReadBeyond(k *kit) {
	b := k.bus(UserA)
	log := k.log(b)
	k.send(b, log, numbers(0, 4)...)
	r := k.reader(b, log, 7)
	k.expectNoEntry(r)
	k.send(b, log, numbers(5, 9)...)
	if got := k.expectEntries(r, "7", "8", "9"); got[0].Offset != 7 {
		k.Errorf("it begins at %d", got[0].Offset)
	}
}

func testReadOn(k *kit) {
	b := k.bus(UserA)
	log := k.log(b)
	const n = 3 * amqpbus.LogPrefetch
	r := k.reader(b, log, 0)
	k.send(b, log, numbers(1, n)...)
	var got []amqpbus.LogEntry
	for len(got) < n { // in pieces of all sizes
		got = append(got, k.entries(r, min(1+len(got)/3, n-len(got)), 100)...)
	}
	for i, e := range got {
		if string(e.Body) != fmt.Sprint(i+1) {
			k.Fatalf("entry %d is %q", i+1, e.Body)
		}
	}
}

// testReadLarge lets more wait than a reader holds.
func testReadLarge(k *kit) {
	b := k.bus(UserA)
	log := k.log(b)
	const n, size = 24, 1 << 20
	p := k.publisher(b, 4)
	for range n {
		k.noError(p.Publish(k.ctx, amqpbus.Message{Key: log, Mandatory: true, Body: []byte(long(size))}, nil), "publish")
	}
	r := k.reader(b, log, 0)
	k.entries(r, 1, 1)
	other := k.log(b)
	k.attached(b, k.reader(b, other, amqpbus.LogNext), other) // time goes by
	for _, e := range k.entries(r, n-1, 5) {
		if len(e.Body) != size {
			k.Fatalf("an entry of %d bytes came with %d", size, len(e.Body))
		}
	}
}

func testReadContext(k *kit) {
	b := k.bus(UserA)
	log := k.log(b)
	r := k.reader(b, log, 0)
	ctx, cancel := context.WithCancel(k.ctx)
	cancel()
	_, err := r.Receive(ctx, 1)
	k.wantError(err, context.Canceled, "receive with an ended context")
	k.expectNoEntry(r)
	k.send(b, log, "1", "2")
	k.expectEntries(r, "1", "2")
	_, err = b.OpenLogReader(ctx, amqpbus.LogReaderOptions{Log: log})
	k.wantError(err, context.Canceled, "open with an ended context")
}

func testReadNowhere(k *kit) {
	b := k.bus(UserA)
	log := k.log(b)
	if _, err := b.OpenLogReader(k.ctx, amqpbus.LogReaderOptions{Log: log, At: -2}); err == nil {
		k.Error("a reader was opened at -2")
	}
	r := k.reader(b, log, 0)
	if _, err := r.Receive(k.ctx, 0); err == nil {
		k.Error("nothing was asked for, and it was no error")
	}
	_, err := b.OpenLogReader(k.ctx, amqpbus.LogReaderOptions{Log: k.name("missing")})
	k.wantError(err, amqpbus.ErrLogGone, "open a log that was never declared")
	k.send(b, log, "unharmed")
	k.expectEntries(r, "unharmed")
}

func testReaderClose(k *kit) {
	b := k.bus(UserA)
	log := k.log(b)
	r := k.reader(b, log, 0)
	ended := make(chan error, 1)
	go func() { _, err := r.Receive(k.ctx, 1); ended <- err }()
	k.noError(r.Close(), "close")
	k.wantError(k.await(ended, "the end of Receive"), amqpbus.ErrClosed, "receive while it was closed")
	k.send(b, log, "too late")
	got, err := r.Receive(k.ctx, 1)
	if !errors.Is(err, amqpbus.ErrClosed) || len(got) > 0 {
		k.Errorf("a closed reader brings %q and %v", bodiesOf(got), err)
	}
	k.noError(r.Close(), "close again")
	k.expectEntries(k.reader(b, log, 0), "too late")
}

func testReaderBusClose(k *kit) {
	b, dying := k.bus(UserA), k.bus(UserB)
	log := k.log(b)
	r := k.reader(dying, log, 0)
	k.send(b, log, "1")
	k.expectEntries(r, "1")
	k.noError(dying.Close(k.ctx), "close the bus")
	k.wantError(k.end(r), amqpbus.ErrClosed, "receive after the bus was closed")
	_, err := dying.OpenLogReader(k.ctx, amqpbus.LogReaderOptions{Log: log})
	k.wantError(err, amqpbus.ErrClosed, "open after the bus was closed")
}

func testReadersApart(k *kit) {
	b := k.bus(UserA)
	log := k.log(b)
	k.send(b, log, numbers(1, 10)...)
	stays := k.reader(b, log, 0)
	for range 5 {
		r := k.reader(b, log, 5)
		k.expectEntries(r, "6")
		k.noError(r.Close(), "close")
	}
	k.expectEntries(stays, numbers(1, 10)...)
}
