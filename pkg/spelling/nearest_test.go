package spelling

import "testing"

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"abc", "abc", 0}, {"abc", "", 3}, {"kitten", "sitting", 3}, {"AMPQ", "AMQP", 2}, {"flaw", "lawn", 2}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
		if distance(c.a, c.b) != distance(c.b, c.a) {
			t.Errorf("distance(%q, %q) is not symmetric", c.a, c.b)
		}
	}
}

func TestNearest(t *testing.T) {
	if got := Nearest("alow", []string{"groups", "allow"}); got != "allow" {
		t.Errorf("got %q", got)
	}
	if got := Nearest("a", nil); got != "" {
		t.Errorf("got %q", got)
	}
}
