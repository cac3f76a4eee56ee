package address_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"belfry/pkg/amqpbus/address"
)

// form is a row of the table that the Python emitter is tested with, too.
type form struct {
	Name    string
	Address string
	Means   *address.Address
	Refused string // a part of the reason
}

func table(t testing.TB) (rows []form) {
	t.Helper()
	text, err := os.ReadFile("../testdata/broker_addresses.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &rows); err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestForms(t *testing.T) {
	meant, refused := 0, 0
	for _, row := range table(t) {
		t.Run(row.Name, func(t *testing.T) {
			got, err := address.Parse(row.Address)
			if row.Means == nil {
				refused++
				if err == nil || row.Refused == "" || !strings.Contains(err.Error(), row.Refused) {
					t.Fatalf("got %v, %v, want an error with %q", got, err, row.Refused)
				}
				for _, piece := range []string{"hidden", "hid", "dän", "den@"} {
					if strings.Contains(err.Error(), piece) {
						t.Errorf("%q shows a piece of the address", err)
					}
				}
				return
			}
			meant++
			if err != nil {
				t.Fatal(err)
			}
			if want := *row.Means; got != want {
				t.Fatalf("got %s, want %s", got.Reveal(), want.Reveal())
			}
			if again, err := address.Parse(got.Reveal()); err != nil || again != got {
				t.Errorf("%s is read as %v, %v", got.Reveal(), again, err)
			}
		})
	}
	if meant == 0 || refused == 0 {
		t.Errorf("the table has %d forms with a meaning and %d that are refused", meant, refused)
	}
}

func TestOnlyRevealShowsThePassword(t *testing.T) {
	a, err := address.Parse("amqp://u:hidden@h/")
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(verb, a); strings.Contains(text, "hidden") || !strings.Contains(text, "u@h:5672") {
			t.Errorf("%s shows %s", verb, text)
		}
	}
}

func TestLoopback(t *testing.T) {
	for text, want := range map[string]bool{
		"amqp://localhost/": true, "amqp://LOCALHOST/": true, "amqp://127.0.0.9/": true, "amqp://[::1]/": true,
		"amqp://localhost.example/": false, "amqp://10.0.0.1/": false, "amqp://[::2]/": false,
	} {
		if a, err := address.Parse(text); err != nil || a.Loopback() != want {
			t.Errorf("%s: %v, %v", text, a.Loopback(), err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, row := range table(f) {
		f.Add(row.Address)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := address.Parse(text)
		if err != nil {
			return
		}
		if again, err := address.Parse(a.Reveal()); err != nil || again != a {
			t.Fatalf("%q means %+v, and %q means %+v, %v", text, a, a.Reveal(), again, err)
		}
	})
}
