package recall

import (
	"testing"
	"time"
)

type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func known(c *Cache[int, string], key int) bool {
	_, found, _ := c.Get(key)
	return found[0]
}

func TestAnswersEnd(t *testing.T) {
	at := &clock{time.Unix(1_800_000_000, 0)}
	c := New[int, string](10, 10*time.Second, at.now)
	c.Put(0, Entry[int, string]{Key: 1, Value: "a"}, Entry[int, string]{Key: 2, Value: "b", Until: at.at.Add(3 * time.Second)},
		Entry[int, string]{Key: 3, Value: "c", Until: at.at.Add(time.Hour)})
	values, found, era := c.Get(1, 9, 2)
	if values[0] != "a" || !found[0] || found[1] || values[2] != "b" || era != 0 {
		t.Fatalf("got %q, %v, %d", values, found, era)
	}
	at.at = at.at.Add(3 * time.Second)
	if known(c, 2) || !known(c, 1) {
		t.Error("an answer outlived its own end, or not")
	}
	at.at = at.at.Add(7 * time.Second)
	if known(c, 1) || known(c, 3) {
		t.Error("an answer outlived the cache's bound")
	}
}

func TestForgetIsForAnswersOnTheirWayToo(t *testing.T) {
	c := New[int, string](10, time.Hour, time.Now)
	_, _, era := c.Get(1)
	c.Put(era, Entry[int, string]{Key: 1})
	c.Forget()
	c.Put(era, Entry[int, string]{Key: 2})
	if known(c, 1) || known(c, 2) {
		t.Error("an answer from before was kept")
	}
	_, _, era = c.Get(1)
	c.Put(era, Entry[int, string]{Key: 1})
	if !known(c, 1) {
		t.Error("an answer from after was not")
	}
}

func TestBounds(t *testing.T) {
	c := New[int, string](100, time.Hour, time.Now)
	for i := range 1000 {
		c.Put(0, Entry[int, string]{Key: i})
	}
	if n := len(c.young) + len(c.old); n > 200 || !known(c, 999) || known(c, 0) {
		t.Errorf("%d answers are kept", n)
	}
	none := New[int, string](100, 0, time.Now)
	none.Put(0, Entry[int, string]{Key: 1})
	if known(none, 1) {
		t.Error("a cache that keeps nothing kept an answer")
	}
}
