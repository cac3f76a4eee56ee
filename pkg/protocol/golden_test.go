package protocol

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func readGolden(t testing.TB, name string, into any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// TestShardOfGolden compares ShardOf with test vectors that another program computed. The
// emitters in other languages are tested with the same vectors.
func TestShardOfGolden(t *testing.T) {
	var vectors []struct {
		Group  Group `json:"group"`
		Shards int   `json:"shards"`
		Shard  int   `json:"shard"`
	}
	readGolden(t, "shards.json", &vectors)
	if len(vectors) < 100 {
		t.Fatalf("only %d vectors", len(vectors))
	}
	for _, v := range vectors {
		if _, err := ParseGroup(string(v.Group)); err != nil {
			t.Errorf("%q is no group: %v", v.Group, err)
		}
		if got := ShardOf(v.Group, v.Shards); got != v.Shard {
			t.Errorf("ShardOf(%q, %d) = %d, want %d", v.Group, v.Shards, got, v.Shard)
		}
	}
}

// clientCase is one row of client_messages.json.
type clientCase struct {
	Name   string            `json:"name"`
	Input  []part            `json:"input"`
	Groups []json.RawMessage `json:"groups"`
	Error  string            `json:"error"`
}

// part is a piece of an input: a string, or an object that describes a long one.
type part struct{ text string }

func (p *part) UnmarshalJSON(data []byte) error {
	if data[0] == '"' {
		return json.Unmarshal(data, &p.text)
	}
	var o struct {
		Base64 []byte `json:"base64"`
		Repeat string `json:"repeat"`
		Times  int    `json:"times"`
		Count  int    `json:"count"`
	}
	if err := json.Unmarshal(data, &o); err != nil {
		return err
	}
	p.text = string(o.Base64) + strings.Repeat(o.Repeat, o.Times) + strings.Join(countTo(o.Count), ",")
	return nil
}

func countTo(n int) []string {
	var out []string
	for i := range n {
		out = append(out, strconv.Itoa(i))
	}
	return out
}

func join(parts []part) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(p.text)
	}
	return b.String()
}

// want expands the expected groups. Each is a string, a list of parts, or a prefix to which
// numbers are appended.
func (c clientCase) want(t testing.TB) []Group {
	t.Helper()
	var out []Group
	for _, raw := range c.Groups {
		switch raw[0] {
		case '"':
			out = append(out, unmarshal[Group](t, raw))
		case '[':
			out = append(out, Group(join(unmarshal[[]part](t, raw))))
		default:
			o := unmarshal[struct {
				Prefix string `json:"prefix"`
				Count  int    `json:"count"`
			}](t, raw)
			for _, n := range countTo(o.Count) {
				out = append(out, Group(o.Prefix+n))
			}
		}
	}
	return out
}

func unmarshal[T any](t testing.TB, raw []byte) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func clientCases(t testing.TB) (cases []clientCase, limits ClientLimits) {
	t.Helper()
	var file struct {
		MaxGroups int          `json:"max_groups"`
		Cases     []clientCase `json:"cases"`
	}
	readGolden(t, "client_messages.json", &file)
	if len(file.Cases) < 90 {
		t.Fatalf("only %d cases", len(file.Cases))
	}
	return file.Cases, ClientLimits{MaxGroups: file.MaxGroups}
}

func TestDecodeClientMessageGolden(t *testing.T) {
	cases, limits := clientCases(t)
	names := map[string]bool{}
	for _, c := range cases {
		if names[c.Name] {
			t.Errorf("two cases are called %q", c.Name)
		}
		names[c.Name] = true
		t.Run(c.Name, func(t *testing.T) {
			groups, err := DecodeClientMessage([]byte(join(c.Input)), limits)
			if c.Error == "" {
				if err != nil || !slices.Equal(groups, c.want(t)) {
					t.Fatalf("got %.200q and error %v, want %.200q", groups, err, c.want(t))
				}
				return
			}
			ce, ok := errors.AsType[*ClientError](err)
			if !ok || groups != nil {
				t.Fatalf("got %.200q and error %v, want a client error and no groups", groups, err)
			}
			if ce.Text != c.Error {
				t.Errorf("error\n %s, want\n %s", ce.Text, c.Error)
			}
		})
	}
}
