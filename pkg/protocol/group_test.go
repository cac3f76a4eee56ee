package protocol

import (
	"errors"
	"strings"
	"testing"
)

func TestMakeGroup(t *testing.T) {
	for _, c := range []struct {
		name, item string
		want       error
	}{
		{"jobs", "status_changed", nil}, {"a", "b-c", nil}, {"é", "日本", nil},
		{strings.Repeat("x", 100), strings.Repeat("y", 100), nil},
		{strings.Repeat("x", 100), strings.Repeat("y", 101), ErrGroupLong},
		{"", "x", ErrGroupEmpty}, {"x", "", ErrGroupEmpty}, {"a-b", "c", ErrGroupDash},
		{"a\xff", "b", ErrGroupUTF8}, {"a", "\xc3\x28", ErrGroupUTF8},
		{"a\x00", "b", ErrGroupControl}, {"a", "b\x1b[0m", ErrGroupControl}, {"a", "\u202e", ErrGroupControl},
	} {
		g, err := MakeGroup(c.name, c.item)
		if !errors.Is(err, c.want) || (c.want == nil) != (err == nil) {
			t.Errorf("MakeGroup(%q, %q): error %v, want %v", c.name, c.item, err, c.want)
		}
		if err == nil && (g.Name() != c.name || g.Item() != c.item) {
			t.Errorf("MakeGroup(%q, %q) splits into %q and %q", c.name, c.item, g.Name(), g.Item())
		}
		if err != nil && g != "" {
			t.Errorf("MakeGroup(%q, %q) gave %q beside an error", c.name, c.item, g)
		}
	}
}

func TestParseGroupNeedsADash(t *testing.T) {
	for _, s := range []string{"", "jobs", "-x", "jobs-", "-"} {
		if g, err := ParseGroup(s); !errors.Is(err, ErrGroupEmpty) || g != "" {
			t.Errorf("ParseGroup(%q) = %q, %v", s, g, err)
		}
	}
}

func TestDigestOfSets(t *testing.T) {
	seen := map[uint64]bool{}
	var set uint64
	for _, n := range countTo(10_000) {
		g := Group("jobs-" + n)
		if seen[Digest(g)] {
			t.Fatalf("the digest of %s is not its own", g)
		}
		seen[Digest(g)] = true
		set ^= Digest(g)
	}
	for _, n := range countTo(10_000) {
		set ^= Digest(Group("jobs-" + n))
	}
	if set != 0 || Digest("a-b") == 0 {
		t.Error("leaving does not undo joining")
	}
}

func TestShardOfSpreads(t *testing.T) {
	counts := make([]int, 4)
	for _, n := range countTo(10_000) {
		counts[ShardOf(Group("job_events-"+n), len(counts))]++
	}
	for shard, n := range counts {
		if n < 2000 || n > 3000 {
			t.Errorf("shard %d has %d of 10,000 groups", shard, n)
		}
	}
	if ShardOf("a-b", 0) != 0 || ShardOf("a-b", -1) != 0 || ShardOf("a-b", 1) != 0 {
		t.Error("fewer than two shards are not shard 0")
	}
}

func TestCheckName(t *testing.T) {
	for name, ok := range map[string]bool{
		"gateway-1.example_x": true, strings.Repeat("a", 100): true,
		"": false, strings.Repeat("a", 101): false, "a b": false, "é": false, "a\n": false, "#": false, "a*": false,
	} {
		if err := CheckName(name); (err == nil) != ok || err != nil && !errors.Is(err, ErrName) {
			t.Errorf("CheckName(%.20q): %v", name, err)
		}
	}
	if a, b := NewIncarnation(), NewIncarnation(); len(a) != 16 || a == b {
		t.Errorf("incarnations %q and %q", a, b)
	}
}
